// The secrets of a proxy, as Envoy wants them: its SVID with the private key, and the trust bundle in two forms.

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
import { optionalTrustBundleSecretName, svidSecretName, trustBundleSecretName } from '../xds/agreed-names.ts';
import type { HeldSvid } from './identity-client.ts';

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

/**
 * The same anchors for listeners that ask for no certificate. Envoy's SPIFFE validator refuses whoever shows none, and so
 * does its ordinary one as soon as it has a name to look for. Anchors alone are enough: every one of them is of this trust
 * domain, and authorization compares whole SPIFFE IDs.
 */
export function optionalTrustBundleSecret(anchors: readonly Certificate[]): Secret {
  const trustedCa = inline(anchors.map((anchor) => toPem('CERTIFICATE', anchor.der)).join(''));
  return create(SecretSchema, {
    name: optionalTrustBundleSecretName,
    type: { case: 'validationContext', value: { trustedCa } },
  });
}

function inline(text: string) {
  return { specifier: { case: 'inlineBytes' as const, value: Buffer.from(text) } };
}
