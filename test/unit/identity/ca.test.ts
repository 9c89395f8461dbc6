import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { exportPkcs8, generateSigningKey } from '../../../src/crypto/keys.ts';
import { toPem } from '../../../src/crypto/pem.ts';
import { verifyCounterSignature } from '../../../src/crypto/x509/counter-signature.ts';
import {
  assembleCa,
  type CaFiles,
  caExpiryWarning,
  checkCaValidity,
  createCaFiles,
} from '../../../src/identity/ca.ts';
import { IdentityError, type IdentityErrorCode } from '../../../src/identity/errors.ts';
import { clockSkewMs, rootExpiryWarningMs, rootLifetimeMs } from '../../../src/identity/lifetimes.ts';
import { at, now } from './support/storage.ts';

const trustDomain = 'mesh.example';
const files = createCaFiles({ trustDomain, now, randomBytes });
const other = createCaFiles({ trustDomain, now, randomBytes });
const assemble = (change: Partial<CaFiles>, when = now, domain = trustDomain) =>
  assembleCa({ ...files, ...change }, domain, when, '/state/ca/root');

function expectCode(code: IdentityErrorCode, action: () => unknown): string {
  let thrown: unknown;
  try {
    action();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(IdentityError);
  expect(thrown).toMatchObject({ code });
  return (thrown as IdentityError).message;
}

describe('a new CA', () => {
  const { issuer, bundle } = assemble({});
  const { certificate } = issuer;

  test('is an ML-DSA-65 root with an ECDSA counter-signing key, for its trust domain', () => {
    expect([certificate.keyAlgorithm, certificate.signatureAlgorithm]).toEqual(['ML-DSA-65', 'ML-DSA-65']);
    expect(issuer.counterKey?.algorithm).toBe('ECDSA-P256');
    expect(() => verifyCounterSignature(certificate, certificate)).not.toThrow();
    expect(certificate.extensions.subjectAltName?.uris).toEqual(['spiffe://mesh.example']);
    expect(certificate.extensions.basicConstraints).toEqual({ ca: true, pathLen: 1 });
    expect(bundle).toEqual({ trustDomain, anchors: [certificate] });
  });

  test('begins a little before now and lasts its lifetime', () => {
    expect(certificate.notBefore).toEqual(at(-clockSkewMs));
    expect(certificate.notAfter).toEqual(at(rootLifetimeMs));
  });

  test('shares neither subject nor key identifier with another one', () => {
    const second = assembleCa(other, trustDomain, now, '').issuer.certificate;
    expect(second.subject).not.toEqual(certificate.subject);
    expect(second.extensions.subjectKeyId).not.toEqual(certificate.extensions.subjectKeyId);
  });
});

describe('assembleCa refuses', () => {
  test.each<[string, Partial<CaFiles>]>([
    ['a torn certificate', { certificate: files.certificate.slice(0, -200) }],
    ['an empty certificate', { certificate: '' }],
    ["another CA's certificate", { certificate: other.certificate }],
    ['a torn key', { key: files.key.slice(0, 60) }],
    ["another CA's key", { key: other.key }],
    ['a torn counter-signing key', { counterKey: files.counterKey.slice(0, 60) }],
    ["another CA's counter-signing key", { counterKey: other.counterKey }],
    ['the two keys swapped', { key: files.counterKey, counterKey: files.key }],
    ['one key in both places', { counterKey: files.key }],
    ['a certificate in place of a key', { key: files.certificate }],
    ['a key that is new', { key: toPem('PRIVATE KEY', exportPkcs8(generateSigningKey('ML-DSA-65'))) }],
    ['a flipped byte in the signature', { certificate: flipSignature(files.certificate) }],
  ])('%s, and says that nothing is made over it', (_what, change) => {
    const message = expectCode('ERR_CA_CORRUPT', () => assemble(change));
    expect(message).toContain('/state/ca/root');
    expect(message).toContain('never makes a new root');
  });

  test('the CA of another trust domain', () => {
    expect(expectCode('ERR_CA_TRUST_DOMAIN', () => assemble({}, now, 'other.example'))).toContain(
      'spiffe://mesh.example',
    );
  });

  test('no key in any message', () => {
    const secret = files.key.split('\n')[1] ?? '';
    const message = expectCode('ERR_CA_CORRUPT', () => assemble({ key: `${files.key.slice(0, 80)}\n` }));
    expect(secret.length).toBeGreaterThan(20);
    expect(message).not.toContain(secret.slice(0, 20));
  });
});

describe('validity', () => {
  const ca = assemble({});

  test('the ends are inclusive, on opening and later', () => {
    for (const good of [-clockSkewMs, 0, rootLifetimeMs]) {
      expect(() => assemble({}, at(good))).not.toThrow();
      expect(() => checkCaValidity(ca, at(good))).not.toThrow();
    }
    expectCode('ERR_CA_NOT_YET_VALID', () => assemble({}, at(-clockSkewMs - 1)));
    expectCode('ERR_CA_EXPIRED', () => assemble({}, at(rootLifetimeMs + 1)));
    expectCode('ERR_CA_EXPIRED', () => checkCaValidity(ca, at(rootLifetimeMs + 1)));
    expectCode('ERR_CA_NOT_YET_VALID', () => checkCaValidity(ca, new Date(Number.NaN)));
  });

  test('the end is announced ahead', () => {
    expect(caExpiryWarning(ca, now)).toBeUndefined();
    expect(caExpiryWarning(ca, at(rootLifetimeMs - rootExpiryWarningMs - 1))).toBeUndefined();
    expect(caExpiryWarning(ca, at(rootLifetimeMs - rootExpiryWarningMs))).toContain('2036-02-27');
  });
});

function flipSignature(pem: string): string {
  const lines = pem.trimEnd().split('\n');
  const line = lines[lines.length - 3] ?? '';
  lines[lines.length - 3] = (line.startsWith('A') ? 'B' : 'A') + line.slice(1);
  return `${lines.join('\n')}\n`;
}
