import { describe, expect, test } from 'vitest';
import { generateSigningKey, spkiDer } from '../../../../src/crypto/keys.ts';
import { toPem } from '../../../../src/crypto/pem.ts';
import { parseCertificate } from '../../../../src/crypto/x509/certificate.ts';
import { extensionOid } from '../../../../src/crypto/x509/oids.ts';
import { maxAnchors, parseBundle } from '../../../../src/crypto/x509/trust-anchors.ts';
import { at, day, expectCode, makeIssuingCa, makeLeaf, makeRoot, trustDomain } from '../support/fixtures.ts';
import { extensionsWithout, forge } from '../support/forge.ts';

const root = makeRoot();
const pem = (...certificates: { readonly der: Buffer }[]): string =>
  certificates.map(({ der }) => toPem('CERTIFICATE', der)).join('');

describe('parseBundle', () => {
  test('reads roots, and an issuing CA beside them', () => {
    const other = makeRoot({ name: 'next root' });
    const issuing = makeIssuingCa(root);
    const bundle = parseBundle(pem(root.certificate, other.certificate, issuing.certificate), trustDomain);
    expect(bundle.map(({ der }) => der)).toEqual(
      [root, other, issuing].map(({ certificate }) => certificate.der),
    );
  });

  test('an expired root does not make the others unreadable', () => {
    const old = makeRoot({ name: 'old', notBefore: at(-10 * day), notAfter: at(-day) });
    expect(parseBundle(pem(old.certificate, root.certificate))).toHaveLength(2);
  });

  test('refuses an ECDSA root, alone or among others', () => {
    const classical = makeRoot({ algorithm: 'ECDSA-P256', counterAlgorithm: null, name: 'classical' });
    for (const text of [pem(classical.certificate), pem(root.certificate, classical.certificate)]) {
      expect(expectCode('ERR_BUNDLE_INVALID', () => parseBundle(text)).message).toContain('ECDSA-P256');
    }
  });

  test('refuses an ML-DSA CA that an ECDSA key signed, and an ECDSA CA that an ML-DSA key signed', () => {
    const classical = makeRoot({ algorithm: 'ECDSA-P256', counterAlgorithm: null });
    const under = makeIssuingCa(classical, { counterAlgorithm: null });
    const classicalUnder = makeIssuingCa(root, { algorithm: 'ECDSA-P256', counterAlgorithm: 'ML-DSA-65' });
    expectCode('ERR_BUNDLE_INVALID', () => parseBundle(pem(under.certificate)));
    expectCode('ERR_BUNDLE_INVALID', () => parseBundle(pem(classicalUnder.certificate)));
  });

  test('refuses a leaf', () => {
    expectCode('ERR_BUNDLE_INVALID', () => parseBundle(pem(makeLeaf(root).certificate)));
  });

  test('refuses a root whose self-signature does not verify', () => {
    const damaged = Buffer.from(root.certificate.der);
    damaged[damaged.length - 1] = (damaged[damaged.length - 1] ?? 0) ^ 1;
    expectCode('ERR_BUNDLE_INVALID', () => parseBundle(toPem('CERTIFICATE', damaged)));
  });

  test('refuses a CA without a key identifier, or without keyCertSign', () => {
    for (const oid of [extensionOid.subjectKeyIdentifier, extensionOid.keyUsage]) {
      const forged = forge(root.certificate, root.key, {
        extensions: extensionsWithout(root.certificate, oid),
      });
      expectCode('ERR_BUNDLE_INVALID', () => parseBundle(toPem('CERTIFICATE', forged)));
    }
  });

  test('refuses two anchors with the same subject and key identifier: Envoy would try the wrong one', () => {
    const key = generateSigningKey('ML-DSA-65');
    const twin = parseCertificate(forge(root.certificate, key, { spki: spkiDer(key) }));
    expectCode('ERR_BUNDLE_INVALID', () => parseBundle(pem(root.certificate, twin)));
    expectCode('ERR_BUNDLE_INVALID', () => parseBundle(pem(root.certificate, root.certificate)));
  });

  test('refuses an anchor of another trust domain when one is given', () => {
    expectCode('ERR_BUNDLE_INVALID', () => parseBundle(pem(root.certificate), 'other.example'));
  });

  test('refuses an empty bundle, too many anchors, and a private key among them', () => {
    expectCode('ERR_PEM', () => parseBundle(''));
    const many = Array.from({ length: maxAnchors + 1 }, () => root.certificate);
    expectCode('ERR_BUNDLE_INVALID', () => parseBundle(pem(...many)), '1 to');
    expectCode('ERR_PEM', () =>
      parseBundle(pem(root.certificate) + toPem('PRIVATE KEY', Buffer.alloc(54, 1))),
    );
  });
});
