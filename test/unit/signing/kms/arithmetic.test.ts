import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js';
import { expect, test } from 'vitest';
import { generateSigningKey, signBytes, spkiDer } from '../../../../src/crypto/keys.ts';
import { encodeSpki } from '../../../../src/crypto/spki.ts';
import { crc32c } from '../../../../src/signing/kms/crc32c.ts';
import { externalMu } from '../../../../src/signing/kms/external-mu.ts';

test.each([
  ['ML-DSA-44', ml_dsa44],
  ['ML-DSA-65', ml_dsa65],
  ['ML-DSA-87', ml_dsa87],
] as const)('μ of %s is what noble signs in place of a message', (algorithm, noble) => {
  const { secretKey, publicKey } = noble.keygen(Buffer.alloc(32, 9));
  const spki = encodeSpki(algorithm, publicKey);
  for (const message of [Buffer.alloc(0), Buffer.from('message'), Buffer.alloc(100_000, 'x')]) {
    const mu = externalMu(spki, message);
    expect(mu.length).toBe(64);
    const signed = noble.internal.sign(mu, secretKey, { externalMu: true });
    expect(noble.verify(signed, message, publicKey)).toBe(true);
    expect(noble.verify(signed, Buffer.from('another'), publicKey)).toBe(false);
  }
});

test('μ is what OpenSSL signs', () => {
  const key = generateSigningKey('ML-DSA-65');
  const message = Buffer.from('message');
  const mu = externalMu(spkiDer(key), message);
  const raw = spkiDer(key).subarray(-1952);
  expect(ml_dsa65.internal.verify(signBytes(key, message), mu, raw, { externalMu: true })).toBe(true);
});

// RFC 3720 §B.4, and the check value of CRC-32C in the catalogue of parametrised CRC algorithms.
test.each([
  [Buffer.alloc(0), 0],
  [Buffer.from('123456789'), 0xe3069283],
  [Buffer.alloc(32, 0), 0x8a9136aa],
  [Buffer.alloc(32, 0xff), 0x62a8ab43],
  [Buffer.from(Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e],
  [Buffer.from(Array.from({ length: 32 }, (_, i) => 31 - i)), 0x113fdb5c],
])('CRC-32C %#', (bytes, expected) => {
  expect(crc32c(bytes)).toBe(expected);
});
