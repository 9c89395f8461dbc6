// The two secrets of a proxy, as Envoy wants them: its SVID with the private key, and the trust bundle.

import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { exportPkcs8 } from '../crypto/keys.ts';
import { toPem } from '../crypto/pem.ts';
import type { Certificate } from '../crypto/x509/certificate.ts';
import {
  type Secret,
  SecretSchema,
} from '../gen/proto/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import { SPIFFECertValidatorConfigSchema } from '../gen/proto/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb.ts';
import type { HeldSvid } from './identity-client.ts';

/** The names under which generated listeners and clusters ask for them; the ones SPIRE uses. */
const svidSecretName = 'default';
const trustBundleSecretName = 'ROOTCA';

export function svidSecret(svid: HeldSvid): Secret {
  return create(SecretSchema, {
    name: svidSecretName,
    type: {
      case: 'tlsCertificate',
      value: {
        certificateChain: inline(svid.certificates.map((der) => toPem('CERTIFICATE', der)).join('')),
        privateKey: inline(toPem('PRIVATE KEY', exportPkcs8(svid.key))),
      },
    },
  });
}

/** Envoy's SPIFFE validator, which accepts a chain only for the trust domain that its anchor is for. */
export function trustBundleSecret(trustDomain: string, anchors: readonly Certificate[]): Secret {
  const bundle = anchors.map((anchor) => toPem('CERTIFICATE', anchor.der)).join('');
  const validator = create(SPIFFECertValidatorConfigSchema, {
    trustDomains: [{ name: trustDomain, trustBundle: inline(bundle) }],
  });
  return create(SecretSchema, {
    name: trustBundleSecretName,
    type: {
      case: 'validationContext',
      value: {
        customValidatorConfig: {
          name: 'envoy.tls.cert_validator.spiffe',
          typedConfig: anyPack(SPIFFECertValidatorConfigSchema, validator),
        },
      },
    },
  });
}

function inline(text: string) {
  return { specifier: { case: 'inlineBytes' as const, value: Buffer.from(text) } };
}
