// FIPS 203 against the vectors of Wycheproof and of NIST (ACVP), through the functions that Trellis uses.

import { createPrivateKey, createPublicKey } from 'node:crypto';
import { expect, test } from 'vitest';
import { type KemAlgorithm, kemAlgorithms } from '../../src/crypto/algorithms.ts';
import { octetString, oid, sequence, smallInteger } from '../../src/crypto/der/write.ts';
import {
  decapsulate,
  encapsulate,
  exportKemPublicKey,
  importKemPublicKey,
  importKemSeed,
} from '../../src/crypto/kem.ts';
import { acvp, fetchTimeoutMs, hex, Tally, wycheproof } from './support.ts';

function isKnown(parameterSet: string | undefined): parameterSet is KemAlgorithm {
  return Object.hasOwn(kemAlgorithms, parameterSet ?? '');
}

test(
  'Wycheproof',
  async () => {
    const tally = new Tally();
    for (const { parameterSet, tests } of await wycheproof('mlkem')) {
      for (const { tcId, flags, seed, ek, c, K } of tests) {
        if (!isKnown(parameterSet)) {
          tally.add(`${parameterSet}, skipped: no such key is read`);
        } else if (flags.includes('ModulusOverflow')) {
          // The check of FIPS 203 §7.2: every coefficient below q.
          expect(() => importKemPublicKey(parameterSet, hex(ek)), `test ${tcId}`).toThrow(/not a ML-KEM/);
          tally.add(`${parameterSet}, public key refused`);
        } else {
          // Implicit rejection compares the whole ciphertext, not as far as the first zero octet.
          const key = importKemSeed(parameterSet, hex(seed));
          expect(exportKemPublicKey(key), `test ${tcId}`).toEqual(hex(ek));
          expect(decapsulate(key, hex(c)), `test ${tcId}`).toEqual(hex(K));
          tally.add(`${parameterSet}, decapsulated`);
        }
      }
    }
    tally.expect({
      'ML-KEM-512, skipped: no such key is read': 9,
      'ML-KEM-768, public key refused': 12,
      'ML-KEM-768, decapsulated': 1,
      'ML-KEM-1024, public key refused': 16,
      'ML-KEM-1024, decapsulated': 1,
    });
  },
  fetchTimeoutMs,
);

test(
  'ACVP, key generation',
  async () => {
    const tally = new Tally();
    for (const { parameterSet, tests } of await acvp('ML-KEM-keyGen-FIPS203')) {
      for (const { tcId, d, z, ek } of tests) {
        if (!isKnown(parameterSet)) {
          tally.add(`${parameterSet}, skipped: no such key is read`);
          continue;
        }
        const key = importKemSeed(parameterSet, Buffer.concat([hex(d), hex(z)]));
        expect(exportKemPublicKey(key), `test ${tcId}`).toEqual(hex(ek));
        const { sharedKey, ciphertext } = encapsulate(importKemPublicKey(parameterSet, hex(ek)));
        expect(decapsulate(key, ciphertext), `test ${tcId}`).toEqual(sharedKey);
        tally.add(parameterSet);
      }
    }
    tally.expect({ 'ML-KEM-512, skipped: no such key is read': 25, 'ML-KEM-768': 25, 'ML-KEM-1024': 25 });
  },
  fetchTimeoutMs,
);

test(
  'ACVP, decapsulation, also of ciphertexts that are rejected implicitly',
  async () => {
    const tally = new Tally();
    for (const { parameterSet, function: operation, tests } of await acvp('ML-KEM-encapDecap-FIPS203')) {
      for (const { tcId, dk, c, k } of tests) {
        if (!isKnown(parameterSet)) {
          tally.add(`${parameterSet}, skipped: no such key is read`);
        } else if (operation !== 'decapsulation') {
          tally.add(`${parameterSet}, skipped: OpenSSL chooses the randomness of an encapsulation itself`);
        } else {
          const key = expandedKey(parameterSet, hex(dk));
          expect(decapsulate(key, hex(c)), `test ${tcId}`).toEqual(hex(k));
          tally.add(parameterSet);
        }
      }
    }
    tally.expect({
      'ML-KEM-512, skipped: no such key is read': 35,
      'ML-KEM-768': 10,
      'ML-KEM-768, skipped: OpenSSL chooses the randomness of an encapsulation itself': 25,
      'ML-KEM-1024': 10,
      'ML-KEM-1024, skipped: OpenSSL chooses the randomness of an encapsulation itself': 25,
    });
  },
  fetchTimeoutMs,
);

/** Trellis itself reads seeds alone; the vectors have expanded keys (RFC 9935 §6). */
function expandedKey(algorithm: KemAlgorithm, dk: Buffer) {
  const pkcs8 = sequence(
    smallInteger(0),
    sequence(oid(kemAlgorithms[algorithm].oid)),
    octetString(octetString(dk)),
  );
  const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  return { algorithm, privateKey, publicKey: createPublicKey(privateKey) };
}
