import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js';
import { describe, expect, test } from 'vitest';
import { type IssuingAlgorithm, signatureAlgorithms } from '../../../src/crypto/algorithms.ts';
import { octetString, oid, sequence, smallInteger } from '../../../src/crypto/der/write.ts';
import {
  algorithmOf,
  exportPkcs8,
  generateSigningKey,
  importSigningKey,
  signBytes,
  spkiDer,
  verifyBytes,
} from '../../../src/crypto/keys.ts';
import { encodeSpki, parseSpki } from '../../../src/crypto/spki.ts';
import { expectCode } from './support/fixtures.ts';

const data = Buffer.from('what is signed');
const seed = Buffer.alloc(32, 7);
const issuing: IssuingAlgorithm[] = ['ML-DSA-65', 'ML-DSA-87', 'ECDSA-P256', 'ECDSA-P384'];
const nobleOf = { 'ML-DSA-65': ml_dsa65, 'ML-DSA-87': ml_dsa87 };

describe.each(['ML-DSA-65', 'ML-DSA-87'] as const)('%s against noble', (algorithm) => {
  const noble = nobleOf[algorithm];
  const key = generateSigningKey(algorithm);
  const rawSeed = key.privateKey.export({ format: 'raw-seed' });

  test('the same seed gives the same public key', () => {
    expect(Buffer.from(noble.keygen(rawSeed).publicKey)).toEqual(parseSpki(spkiDer(key)).keyBits);
  });

  test('noble verifies what we sign, and we verify what noble signs', () => {
    const { publicKey, secretKey } = noble.keygen(rawSeed);
    expect(noble.verify(signBytes(key, data), data, publicKey)).toBe(true);
    expect(verifyBytes(key.publicKey, data, noble.sign(data, secretKey))).toBe(true);
  });

  test('a signature with a context string is another signature', () => {
    const { secretKey } = noble.keygen(rawSeed);
    const withContext = noble.sign(data, secretKey, { context: Buffer.from('other use') });
    expect(verifyBytes(key.publicKey, data, withContext)).toBe(false);
  });

  test('PKCS#8 is seed-only, 54 bytes, and comes back as the same key', () => {
    const pkcs8 = exportPkcs8(key);
    expect(pkcs8.length).toBe(54);
    expect(pkcs8.subarray(-32)).toEqual(rawSeed);
    const back = importSigningKey(pkcs8);
    expect(back.algorithm).toBe(algorithm);
    expect(back.publicKey.equals(key.publicKey)).toBe(true);
    expect(createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }).asymmetricKeyType).toBe(
      signatureAlgorithms[algorithm].nodeKeyType,
    );
  });
});

test('ML-DSA-44 signatures are verified, but no key of it is made or read', () => {
  const { publicKey, secretKey } = ml_dsa44.keygen(seed);
  const info = parseSpki(encodeSpki('ML-DSA-44', publicKey));
  expect(info.algorithm).toBe('ML-DSA-44');
  expect(verifyBytes(info.publicKey, data, ml_dsa44.sign(data, secretKey))).toBe(true);
  expectCode('ERR_ALGORITHM_NOT_ALLOWED', () => generateSigningKey('ML-DSA-44' as IssuingAlgorithm));
  const pkcs8 = generateKeyPairSync('ml-dsa-44').privateKey.export({ format: 'der', type: 'pkcs8' });
  expectCode('ERR_ALGORITHM_NOT_ALLOWED', () => importSigningKey(pkcs8));
});

describe.each(issuing)('%s', (algorithm) => {
  const key = generateSigningKey(algorithm);

  test('signs and verifies', () => {
    const signature = signBytes(key, data);
    expect(algorithmOf(key.publicKey)).toBe(algorithm);
    expect(verifyBytes(key.publicKey, data, signature)).toBe(true);
    expect(verifyBytes(key.publicKey, Buffer.from('something else'), signature)).toBe(false);
    expect(verifyBytes(generateSigningKey(algorithm).publicKey, data, signature)).toBe(false);
  });

  test('a signature that is cut, lengthened, emptied or flipped does not verify', () => {
    const signature = signBytes(key, data);
    const flipped = Buffer.from(signature);
    flipped[20] = (flipped[20] ?? 0) ^ 1;
    for (const bad of [
      signature.subarray(1),
      Buffer.concat([signature, Buffer.of(0)]),
      Buffer.alloc(0),
      flipped,
    ]) {
      expect(verifyBytes(key.publicKey, data, bad)).toBe(false);
    }
  });

  test('survives export and import', () => {
    const back = importSigningKey(exportPkcs8(key));
    expect(back.algorithm).toBe(algorithm);
    expect(verifyBytes(key.publicKey, data, signBytes(back, data))).toBe(true);
  });
});

describe('importSigningKey', () => {
  const { secretKey } = ml_dsa65.keygen(seed);
  const wrap = (content: Uint8Array): Buffer =>
    sequence(smallInteger(0), sequence(oid(signatureAlgorithms['ML-DSA-65'].oid)), octetString(content));

  test('accepts seed and expanded key when they agree (RFC 9881 §6)', () => {
    const key = importSigningKey(wrap(sequence(octetString(seed), octetString(secretKey))));
    expect(exportPkcs8(key).subarray(-32)).toEqual(seed);
  });

  test('refuses seed and expanded key that disagree', () => {
    const other = ml_dsa65.keygen(Buffer.alloc(32, 8)).secretKey;
    expectCode('ERR_KEY_INVALID', () =>
      importSigningKey(wrap(sequence(octetString(seed), octetString(other)))),
    );
  });

  test('refuses an EC private key that carries the public half of another one', () => {
    const [own, other] = [generateSigningKey('ECDSA-P256'), generateSigningKey('ECDSA-P256')];
    const mixed = exportPkcs8(own);
    const publicBits = parseSpki(spkiDer(other)).keyBits;
    publicBits.copy(mixed, mixed.length - publicBits.length);
    expectCode('ERR_KEY_INVALID', () => importSigningKey(mixed), 'belong together');
  });

  test('refuses an expanded key without its seed', () => {
    const error = expectCode('ERR_KEY_INVALID', () => importSigningKey(wrap(octetString(secretKey))));
    expect(error.message).toContain('seed');
  });

  test('refuses bytes after the key, an oversized input, other key types and garbage', () => {
    const good = exportPkcs8(generateSigningKey('ML-DSA-65'));
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
      format: 'der',
      type: 'pkcs8',
    });
    const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey.export({
      format: 'der',
      type: 'pkcs8',
    });
    expectCode('ERR_KEY_INVALID', () => importSigningKey(Buffer.concat([good, Buffer.of(0)])));
    expectCode('ERR_KEY_INVALID', () => importSigningKey(Buffer.alloc(10_000, 0x30)), 'longer than');
    expectCode('ERR_ALGORITHM_UNKNOWN', () => importSigningKey(rsa));
    expectCode('ERR_ALGORITHM_UNKNOWN', () => importSigningKey(p521));
    expectCode('ERR_KEY_INVALID', () => importSigningKey(Buffer.from('not a key')));
  });

  test('never quotes the key in its message', () => {
    const bad = Buffer.concat([
      exportPkcs8(importSigningKey(wrap(sequence(octetString(seed), octetString(secretKey))))),
      seed,
    ]);
    const error = expectCode('ERR_KEY_INVALID', () => importSigningKey(bad));
    expect(error.message).not.toContain(seed.toString('hex'));
  });
});
