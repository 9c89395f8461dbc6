import { createECDH, createHash, generateKeyPairSync } from 'node:crypto';
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js';
import { describe, expect, test } from 'vitest';
import type { SignatureAlgorithm } from '../../../../src/crypto/algorithms.ts';
import { generateSigningKey, spkiDer } from '../../../../src/crypto/keys.ts';
import { toPem } from '../../../../src/crypto/pem.ts';
import { encodeSpki, parseSpki } from '../../../../src/crypto/spki.ts';
import {
  keyHint,
  publicKeyFromPem,
  publicKeyFromSpki,
  publicKeyPem,
} from '../../../../src/signing/keys/public-key.ts';
import { failure } from '../support.ts';

const ecKey = generateSigningKey('ECDSA-P256');
const ecSpki = spkiDer(ecKey);
const ecPem = toPem('PUBLIC KEY', ecSpki);
const spkis: readonly (readonly [SignatureAlgorithm, Buffer])[] = [
  ['ML-DSA-44', encodeSpki('ML-DSA-44', ml_dsa44.keygen(Buffer.alloc(32, 1)).publicKey)],
  ...(['ML-DSA-65', 'ML-DSA-87', 'ECDSA-P256', 'ECDSA-P384'] as const).map(
    (each) => [each, spkiDer(generateSigningKey(each))] as const,
  ),
];

test.each(spkis)('a key of %s is named by the digest of its SubjectPublicKeyInfo', (algorithm, spki) => {
  const key = publicKeyFromPem(toPem('PUBLIC KEY', spki));
  expect(key).toMatchObject({ algorithm, spki });
  expect(key.spkiSha256).toBe(createHash('sha256').update(spki).digest('hex'));
  expect(keyHint(key)).toBe(Buffer.from(key.spkiSha256, 'hex').toString('base64'));
  expect(key.key.export({ format: 'der', type: 'spki' })).toEqual(spki);
  expect(publicKeyFromPem(publicKeyPem(key)).spki).toEqual(spki);
});

test('keeps what it read when the caller reuses the buffer', () => {
  const buffer = Buffer.from(ecSpki);
  const key = publicKeyFromSpki(buffer);
  buffer.fill(0);
  expect(key.spki).toEqual(ecSpki);
});

describe('is refused', () => {
  test.each([
    ['two keys in one text', ecPem + ecPem, /expected one "PUBLIC KEY" block, found 2/],
    ['a private key', toPem('PRIVATE KEY', ecSpki), /found "PRIVATE KEY"/],
    ['a key file', toPem('ENCRYPTED SIGSTORE PRIVATE KEY', ecSpki), /the \.pub file/],
    ['a certificate', toPem('CERTIFICATE', ecSpki), /found "CERTIFICATE"/],
    ['nothing', '', /no "PUBLIC KEY" block/],
    ['DER for PEM', ecSpki.toString('latin1'), /./],
  ])('%s', async (_, pem, reason) => {
    await failure('ERR_PUBLIC_KEY_INVALID', () => publicKeyFromPem(pem), reason);
  });

  test('an algorithm that Trellis does not have', async () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
    const ed25519 = generateKeyPairSync('ed25519').publicKey;
    const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' }).publicKey;
    const secp256k1 = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey;
    for (const key of [rsa, ed25519, p521, secp256k1]) {
      const pem = key.export({ format: 'pem', type: 'spki' }) as string;
      await failure(
        'ERR_PUBLIC_KEY_INVALID',
        () => publicKeyFromPem(pem),
        /give one PEM .* of ML-DSA-44, ML-DSA-65/,
      );
    }
  });

  test('a point that is not on the curve', async () => {
    const spki = Buffer.from(ecSpki);
    spki[spki.length - 1] = (spki.at(-1) ?? 0) ^ 1;
    await failure(
      'ERR_PUBLIC_KEY_INVALID',
      () => publicKeyFromSpki(spki),
      /not a public key that Trellis reads/,
    );
  });

  test('the second encoding that a point has', async () => {
    const ecdh = createECDH('prime256v1');
    const compressed = ecdh.generateKeys(null, 'compressed') as unknown as Buffer;
    const spki = encodeSpki('ECDSA-P256', compressed);
    await failure('ERR_PUBLIC_KEY_INVALID', () => publicKeyFromSpki(spki), /wrong length or form/);
  });

  test('bytes after the key, and a key cut short', async () => {
    for (const spki of [Buffer.concat([ecSpki, Buffer.of(0)]), ecSpki.subarray(0, -1)])
      await failure(
        'ERR_PUBLIC_KEY_INVALID',
        () => publicKeyFromSpki(spki),
        /not a public key that Trellis reads/,
      );
  });

  test('a key under the object identifier of another parameter set', async () => {
    const raw = parseSpki(spkiDer(generateSigningKey('ML-DSA-65'))).keyBits;
    const spki = encodeSpki('ML-DSA-87', raw);
    await failure('ERR_PUBLIC_KEY_INVALID', () => publicKeyFromSpki(spki), /not a ML-DSA-87 public key/);
  });
});
