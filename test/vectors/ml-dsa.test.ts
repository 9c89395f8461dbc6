// FIPS 204 against the vectors of Wycheproof and of NIST (ACVP), through the functions that Trellis uses.

import { describe, expect, test } from 'vitest';
import { type SignatureAlgorithm, signatureAlgorithms } from '../../src/crypto/algorithms.ts';
import { implicitPrimitive, octetString, oid, sequence, smallInteger } from '../../src/crypto/der/write.ts';
import { CryptoError } from '../../src/crypto/errors.ts';
import { importSigningKey, type SigningKey, signBytes, spkiDer, verifyBytes } from '../../src/crypto/keys.ts';
import { encodeSpki, parseSpki } from '../../src/crypto/spki.ts';
import { acvp, fetchTimeoutMs, hex, Tally, type WycheproofTest, wycheproof } from './support.ts';

/** PKCS#8 with the content that RFC 9881 §6 gives an ML-DSA key. */
function pkcs8(algorithm: SignatureAlgorithm, content: Buffer): Buffer {
  return sequence(smallInteger(0), sequence(oid(signatureAlgorithms[algorithm].oid)), octetString(content));
}

function fromSeed(algorithm: SignatureAlgorithm, seed: Buffer): SigningKey {
  return importSigningKey(pkcs8(algorithm, implicitPrimitive(0, seed)));
}

/** Trellis signs and verifies with an empty context: a signature made for another context is good for nothing here. */
function hasContext({ ctx = '' }: WycheproofTest): boolean {
  return ctx !== '';
}

describe('Wycheproof, verification', () => {
  test.each([
    [
      'ML-DSA-44',
      'mldsa_44',
      { valid: 61, 'valid for another context': 2, invalid: 15, 'invalid public key': 2 },
    ],
    [
      'ML-DSA-65',
      'mldsa_65',
      { valid: 63, 'valid for another context': 2, invalid: 16, 'invalid public key': 2 },
    ],
    [
      'ML-DSA-87',
      'mldsa_87',
      { valid: 54, 'valid for another context': 2, invalid: 18, 'invalid public key': 2 },
    ],
  ] as const)(
    '%s',
    async (algorithm, name, counts) => {
      const tally = new Tally();
      for (const { publicKey, tests } of await wycheproof(`${name}_verify`)) {
        const spki = encodeSpki(algorithm, hex(publicKey));
        for (const vector of tests) {
          if (vector.flags.includes('IncorrectPublicKeyLength')) {
            expect(() => parseSpki(spki), `test ${vector.tcId}`).toThrow(CryptoError);
            tally.add('invalid public key');
            continue;
          }
          const good = verifyBytes(parseSpki(spki).publicKey, hex(vector.msg), hex(vector.sig));
          expect(good, `test ${vector.tcId}`).toBe(vector.result === 'valid' && !hasContext(vector));
          tally.add(
            vector.result === 'valid' && hasContext(vector) ? 'valid for another context' : vector.result,
          );
        }
      }
      tally.expect(counts);
    },
    fetchTimeoutMs,
  );
});

describe('Wycheproof, signing from the seed', () => {
  test.each([
    ['ML-DSA-65', 'mldsa_65', { 'verified, and signed anew': 60, 'skipped: Trellis takes no context': 3 }],
    ['ML-DSA-87', 'mldsa_87', { 'verified, and signed anew': 51, 'skipped: Trellis takes no context': 3 }],
  ] as const)(
    '%s',
    async (algorithm, name, counts) => {
      const tally = new Tally();
      for (const { privateSeed, tests } of await wycheproof(`${name}_sign_seed`)) {
        const key = fromSeed(algorithm, hex(privateSeed));
        for (const vector of tests) {
          if (vector.result !== 'valid' || hasContext(vector)) {
            tally.add('skipped: Trellis takes no context');
            continue;
          }
          // Ours is hedged (FIPS 204 §3.4), theirs deterministic: both are signatures of this key.
          const message = hex(vector.msg);
          expect(verifyBytes(key.publicKey, message, hex(vector.sig)), `test ${vector.tcId}`).toBe(true);
          expect(verifyBytes(key.publicKey, message, signBytes(key, message)), `test ${vector.tcId}`).toBe(
            true,
          );
          tally.add('verified, and signed anew');
        }
      }
      tally.expect(counts);
    },
    fetchTimeoutMs,
  );

  test(
    'ML-DSA-44 keys are not taken',
    async () => {
      const tally = new Tally();
      for (const { privateSeed, tests } of await wycheproof('mldsa_44_sign_seed')) {
        expect(() => fromSeed('ML-DSA-44', hex(privateSeed))).toThrow(/for verifying only/);
        for (const _ of tests) tally.add('skipped: no such private key is read');
      }
      tally.expect({ 'skipped: no such private key is read': 59 });
    },
    fetchTimeoutMs,
  );
});

test.each([
  ['ML-DSA-44', 'mldsa_44', { refused: 65 }],
  ['ML-DSA-65', 'mldsa_65', { refused: 67 }],
  ['ML-DSA-87', 'mldsa_87', { refused: 58 }],
] as const)(
  'Wycheproof: %s keys without their seed are refused',
  async (algorithm, name, counts) => {
    const tally = new Tally();
    for (const { privateKey, tests } of await wycheproof(`${name}_sign_noseed`)) {
      const key = pkcs8(algorithm, octetString(hex(privateKey)));
      for (const vector of tests) {
        expect(() => importSigningKey(key), `test ${vector.tcId}`).toThrow(CryptoError);
        tally.add('refused');
      }
    }
    tally.expect(counts);
  },
  fetchTimeoutMs,
);

test(
  'ACVP, key generation: a seed gives the public key, and the expanded key that belongs to it',
  async () => {
    const tally = new Tally();
    for (const { parameterSet, tests } of await acvp('ML-DSA-keyGen-FIPS204')) {
      const algorithm = parameterSet as SignatureAlgorithm;
      for (const { tcId, seed, pk, sk } of tests) {
        if (!signatureAlgorithms[algorithm].mayIssue) {
          expect(() => fromSeed(algorithm, hex(seed))).toThrow(/for verifying only/);
          tally.add(`${algorithm}, skipped: no such private key is read`);
          continue;
        }
        const key = fromSeed(algorithm, hex(seed));
        expect(parseSpki(spkiDer(key)).keyBits, `test ${tcId}`).toEqual(hex(pk));
        const both = sequence(octetString(hex(seed)), octetString(hex(sk)));
        expect(spkiDer(importSigningKey(pkcs8(algorithm, both))), `test ${tcId}`).toEqual(spkiDer(key));
        tally.add(algorithm);
      }
    }
    tally.expect({ 'ML-DSA-44, skipped: no such private key is read': 25, 'ML-DSA-65': 25, 'ML-DSA-87': 25 });
  },
  fetchTimeoutMs,
);
