import { ml_kem768, ml_kem1024 } from '@noble/post-quantum/ml-kem.js';
import { describe, expect, test } from 'vitest';
import type { KemAlgorithm } from '../../../src/crypto/algorithms.ts';
import {
  decapsulate,
  encapsulate,
  exportKemPublicKey,
  generateKemKey,
  importKemPublicKey,
  importKemSeed,
} from '../../../src/crypto/kem.ts';
import { expectCode } from './support/fixtures.ts';

const nobleOf = { 'ML-KEM-768': ml_kem768, 'ML-KEM-1024': ml_kem1024 };

describe.each(Object.keys(nobleOf) as KemAlgorithm[])('%s', (algorithm) => {
  const noble = nobleOf[algorithm];
  const seed = Buffer.alloc(64, 9);

  test('the same seed gives the same public key as noble', () => {
    expect(exportKemPublicKey(importKemSeed(algorithm, seed))).toEqual(
      Buffer.from(noble.keygen(seed).publicKey),
    );
  });

  test('we open what noble encapsulates, and noble opens what we do', () => {
    const ours = importKemSeed(algorithm, seed);
    const theirs = noble.keygen(seed);
    const toUs = noble.encapsulate(theirs.publicKey);
    expect(decapsulate(ours, toUs.cipherText)).toEqual(Buffer.from(toUs.sharedSecret));
    const toThem = encapsulate(importKemPublicKey(algorithm, theirs.publicKey));
    expect(Buffer.from(noble.decapsulate(toThem.ciphertext, theirs.secretKey))).toEqual(toThem.sharedKey);
  });

  test('a changed ciphertext yields another key, the one noble derives too (implicit rejection)', () => {
    const key = generateKemKey(algorithm);
    const rawSeed = key.privateKey.export({ format: 'raw-seed' });
    const { sharedKey, ciphertext } = encapsulate(key);
    ciphertext[0] = (ciphertext[0] ?? 0) ^ 1;
    const rejected = decapsulate(key, ciphertext);
    expect(rejected).not.toEqual(sharedKey);
    expect(rejected).toEqual(Buffer.from(noble.decapsulate(ciphertext, noble.keygen(rawSeed).secretKey)));
  });

  test('refuses wrong lengths and a public key that is not reduced (FIPS 203 §7.2)', () => {
    const key = generateKemKey(algorithm);
    expectCode('ERR_KEM', () => decapsulate(key, Buffer.alloc(10)));
    expectCode('ERR_KEM', () => importKemSeed(algorithm, Buffer.alloc(32)));
    expectCode('ERR_KEM', () => importKemPublicKey(algorithm, Buffer.alloc(10)));
    const unreduced = Buffer.alloc(exportKemPublicKey(key).length, 0xff);
    expectCode('ERR_KEM', () => encapsulate(importKemPublicKey(algorithm, unreduced)));
  });
});
