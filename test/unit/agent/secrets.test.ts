import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import type { HeldSvid } from '../../../src/agent/identity-client.ts';
import { optionalTrustBundleSecret, svidSecret, trustBundleSecret } from '../../../src/agent/secrets.ts';
import { importSigningKey } from '../../../src/crypto/keys.ts';
import { fromPem, fromPemOne } from '../../../src/crypto/pem.ts';
import type { Secret } from '../../../src/gen/proto/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import { SPIFFECertValidatorConfigSchema } from '../../../src/gen/proto/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb.ts';
import { issuedByStranger, strangerRoot } from '../../support/impostors.ts';
import { spiffeId, trustDomain } from '../../support/manifests.ts';

const root = strangerRoot();
const svid = issuedByStranger(root, { spiffeId: spiffeId('client') }) as HeldSvid;
const anchors = [root.certificate, strangerRoot().certificate];

interface DataSource {
  readonly specifier: { readonly case?: string | undefined; readonly value?: unknown };
}

function text(source: DataSource | undefined): string {
  expect(source?.specifier.case).toBe('inlineBytes');
  return Buffer.from(source?.specifier.value as Uint8Array).toString();
}

function validationContext(secret: Secret) {
  if (secret.type.case !== 'validationContext') throw new Error('no validation context');
  return secret.type.value;
}

test('the SVID has its chain, leaf first, and its key as the seed alone, which is the form Envoy reads', () => {
  const secret = svidSecret(svid);
  expect(secret.name).toBe('default');
  if (secret.type.case !== 'tlsCertificate') throw new Error('no certificate');
  const { certificateChain, privateKey } = secret.type.value;
  expect(fromPem(text(certificateChain), 'CERTIFICATE')).toEqual(
    svid.certificates.map((der) => Buffer.from(der)),
  );
  const key = fromPemOne(text(privateKey), 'PRIVATE KEY');
  expect(key).toHaveLength(54);
  expect(importSigningKey(key).publicKey.equals(svid.key.publicKey)).toBe(true);
});

test('the trust bundle names the one trust domain that its anchors are for', () => {
  const secret = trustBundleSecret(trustDomain, anchors);
  expect(secret.name).toBe('ROOTCA');
  const { customValidatorConfig, trustedCa } = validationContext(secret);
  // Anchors beside the SPIFFE validator would be trusted for every name.
  expect(trustedCa).toBeUndefined();
  expect(customValidatorConfig?.name).toBe('envoy.tls.cert_validator.spiffe');
  const typed = customValidatorConfig?.typedConfig;
  const validator = typed === undefined ? undefined : anyUnpack(typed, SPIFFECertValidatorConfigSchema);
  const [only, ...others] = validator?.trustDomains ?? [];
  expect([only?.name, others]).toEqual([trustDomain, []]);
  expect(fromPem(text(only?.trustBundle), 'CERTIFICATE')).toEqual(anchors.map(({ der }) => der));
});

test('the form for listeners that ask for no certificate has the same anchors, and nothing that would demand one', () => {
  const secret = optionalTrustBundleSecret(anchors);
  expect(secret.name).toBe('ROOTCA-OPTIONAL');
  const context = validationContext(secret);
  expect(fromPem(text(context.trustedCa), 'CERTIFICATE')).toEqual(anchors.map(({ der }) => der));
  expect(context.customValidatorConfig).toBeUndefined();
  expect(context.matchTypedSubjectAltNames).toEqual([]);
});

test('no secret but the SVID holds a private key', () => {
  for (const secret of [trustBundleSecret(trustDomain, anchors), optionalTrustBundleSecret(anchors)])
    expect(Object.keys(secret.type.value ?? {})).not.toContain('privateKey');
});
