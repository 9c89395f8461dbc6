// Signatures as a key management service makes them: of a digest or of μ, without ever seeing the message. Node has no
// such functions, so ML-DSA is noble's and ECDSA is FIPS 186-5 §6.4.1 over Node's point multiplication. For tests only:
// nothing here runs in constant time.

import { createECDH, randomBytes } from 'node:crypto';
import { ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js';
import { readOnly } from '../../src/crypto/der/read.ts';
import { tag } from '../../src/crypto/der/tags.ts';
import { sequence, unsignedInteger } from '../../src/crypto/der/write.ts';
import { exportPkcs8, type SigningKey } from '../../src/crypto/keys.ts';

const curves = {
  'ECDSA-P256': {
    name: 'prime256v1',
    order: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
    bytes: 32,
  },
  'ECDSA-P384': {
    name: 'secp384r1',
    order:
      0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
    bytes: 48,
  },
} as const;

/** A DER signature over a digest that is as long as the curve's order. */
export function signDigest(key: SigningKey, digest: Uint8Array): Buffer {
  if (key.algorithm !== 'ECDSA-P256' && key.algorithm !== 'ECDSA-P384') throw new Error('not an EC key');
  const { name, order, bytes } = curves[key.algorithm];
  if (digest.length !== bytes) throw new Error(`a digest of ${digest.length} bytes for ${key.algorithm}`);
  const d = toNumber(Buffer.from(key.privateKey.export({ format: 'jwk' }).d ?? '', 'base64url'));
  const k = (toNumber(randomBytes(bytes)) % (order - 1n)) + 1n;
  const ecdh = createECDH(name);
  ecdh.setPrivateKey(toBytes(k, bytes));
  const r = toNumber(ecdh.getPublicKey().subarray(1, 1 + bytes)) % order;
  const s = (power(k, order - 2n, order) * (toNumber(digest) + r * d)) % order;
  return sequence(unsignedInteger(toBytes(r, bytes)), unsignedInteger(toBytes(s, bytes)));
}

/** An ML-DSA signature over the message representative μ (FIPS 204 §6.2, algorithm 7 from line 7 on). */
export function signMu(key: SigningKey, mu: Uint8Array): Buffer {
  const noble = key.algorithm === 'ML-DSA-87' ? ml_dsa87 : ml_dsa65;
  const seed = readOnly(exportPkcs8(key), tag.sequence, 'PKCS#8').raw.subarray(-32);
  return Buffer.from(noble.internal.sign(mu, noble.keygen(seed).secretKey, { externalMu: true }));
}

function toNumber(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
}

function toBytes(value: bigint, length: number): Buffer {
  return Buffer.from(value.toString(16).padStart(length * 2, '0'), 'hex');
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (let [square, left] = [base % modulus, exponent]; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}
