import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { CryptoError } from '../../../src/crypto/errors.ts';
import { generateSigningKey, type SigningKey, spkiDer } from '../../../src/crypto/keys.ts';
import { parseCertificate } from '../../../src/crypto/x509/certificate.ts';
import { verifyCounterSignedPath } from '../../../src/crypto/x509/counter-signature.ts';
import { createCsr } from '../../../src/crypto/x509/csr.ts';
import { validatePath } from '../../../src/crypto/x509/path.ts';
import { svidId } from '../../../src/crypto/x509/svid.ts';
import { assembleCa, createCaFiles } from '../../../src/identity/ca.ts';
import { IdentityError, type IdentityErrorCode } from '../../../src/identity/errors.ts';
import { createSvidIssuer, type SvidRequest } from '../../../src/identity/issuer.ts';
import {
  clockSkewMs,
  defaultSvidLifetimeMs,
  maxSvidLifetimeMs,
  minSvidLifetimeMs,
  rootLifetimeMs,
} from '../../../src/identity/lifetimes.ts';
import { at, now } from './support/storage.ts';

const trustDomain = 'mesh.example';
const spiffeId = 'spiffe://mesh.example/ns/trading/sa/gateway';
const ca = assembleCa(createCaFiles({ trustDomain, now, randomBytes }), trustDomain, now, 'test');
const issuer = createSvidIssuer({ ca, randomBytes });
const key = generateSigningKey('ML-DSA-65');
const csr = createCsr(key);
const issue = (change: Partial<SvidRequest> = {}) => issuer.issueX509Svid({ spiffeId, csr, now, ...change });

function expectCode(code: IdentityErrorCode, action: () => unknown): void {
  let thrown: unknown;
  try {
    action();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(IdentityError);
  expect(thrown).toMatchObject({ code });
}

describe('issueX509Svid', () => {
  const svid = issue();
  const [leaf] = svid.certificates.map(parseCertificate);
  if (leaf === undefined) throw new Error('no leaf');

  test('gives a counter-signed leaf that the bundle verifies', () => {
    expect(svid.certificates).toHaveLength(1);
    const path = validatePath({
      leaf,
      intermediates: [],
      anchors: ca.bundle.anchors,
      now,
      purpose: 'server',
      trustDomain,
    });
    expect(() => verifyCounterSignedPath(path)).not.toThrow();
    expect(svidId(leaf).uri).toBe(spiffeId);
    expect(svid.spiffeId).toBe(spiffeId);
  });

  test("takes the request's public key", () => {
    expect(leaf.spki).toEqual(spkiDer(key));
  });

  test('lives an hour, and begins a little before now', () => {
    expect(defaultSvidLifetimeMs).toBe(3_600_000);
    expect(leaf.notBefore).toEqual(at(-clockSkewMs));
    expect(leaf.notAfter).toEqual(at(defaultSvidLifetimeMs));
    expect([svid.notBefore, svid.notAfter]).toEqual([leaf.notBefore, leaf.notAfter]);
  });

  test('says what the certificate says when the clock is between two seconds', () => {
    const odd = issue({ now: at(1_234) });
    const certificate = parseCertificate(odd.certificates[0] as Buffer);
    expect([odd.notBefore, odd.notAfter]).toEqual([certificate.notBefore, certificate.notAfter]);
    expect(odd.notAfter).toEqual(at(1_000 + defaultSvidLifetimeMs));
  });

  test('has another serial number every time', () => {
    const serials = Array.from({ length: 5 }, () =>
      parseCertificate(issue().certificates[0] as Buffer).serial.toString('hex'),
    );
    expect(new Set(serials).size).toBe(5);
  });

  test('takes ML-DSA-87 keys too', () => {
    const strong = issue({ csr: createCsr(generateSigningKey('ML-DSA-87')) });
    expect(parseCertificate(strong.certificates[0] as Buffer).keyAlgorithm).toBe('ML-DSA-87');
  });

  test('never outlives the CA, and never begins before it', () => {
    const last = issue({ now: at(rootLifetimeMs - 1_000) });
    expect(last.notAfter).toEqual(ca.issuer.certificate.notAfter);
    const first = issue({ now: at(-clockSkewMs) });
    expect(first.notBefore).toEqual(ca.issuer.certificate.notBefore);
  });
});

describe('refuses', () => {
  test.each([
    'spiffe://other.example/ns/trading/sa/gateway',
    'spiffe://mesh.example.evil/ns/trading/sa/gateway',
    'spiffe://mesh.example',
  ])('%s: outside the trust domain', (id) => {
    expectCode('ERR_SVID_ID_NOT_ALLOWED', () => issue({ spiffeId: id }));
  });

  test('an ID that is none', () => {
    expect(() => issue({ spiffeId: 'https://mesh.example/a' })).toThrow(CryptoError);
    expect(() => issue({ spiffeId: `${spiffeId}/../admin` })).toThrow(CryptoError);
  });

  test.each(['ECDSA-P256', 'ECDSA-P384'] as const)('a key of %s', (algorithm) => {
    expectCode('ERR_SVID_KEY_NOT_ALLOWED', () => issue({ csr: createCsr(generateSigningKey(algorithm)) }));
  });

  test('a request without proof of possession, and one that is none', () => {
    const mixed: SigningKey = { ...generateSigningKey('ML-DSA-65'), publicKey: key.publicKey };
    expect(() => issue({ csr: createCsr(mixed) })).toThrow(CryptoError);
    expect(() => issue({ csr: Buffer.from('x') })).toThrow(CryptoError);
  });

  test('to sign before or after the life of the CA', () => {
    expectCode('ERR_CA_NOT_YET_VALID', () => issue({ now: at(-clockSkewMs - 1) }));
    expectCode('ERR_CA_EXPIRED', () => issue({ now: at(rootLifetimeMs + 1) }));
  });

  test('lifetimes outside their bounds', () => {
    for (const lifetimeMs of [minSvidLifetimeMs - 1, maxSvidLifetimeMs + 1, 0, -1, Number.NaN]) {
      expectCode('ERR_LIFETIME', () => createSvidIssuer({ ca, randomBytes, lifetimeMs }));
    }
    for (const lifetimeMs of [minSvidLifetimeMs, maxSvidLifetimeMs]) {
      const svid = createSvidIssuer({ ca, randomBytes, lifetimeMs }).issueX509Svid({ spiffeId, csr, now });
      expect(svid.notAfter).toEqual(at(lifetimeMs));
    }
  });
});
