// ML-KEM (FIPS 203) through node:crypto. TLS does its own; this is for what Trellis seals itself.

import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  decapsulate as nodeDecapsulate,
  encapsulate as nodeEncapsulate,
} from 'node:crypto';
import { type KemAlgorithm, kemAlgorithms } from './algorithms.ts';
import { CryptoError } from './errors.ts';

export interface KemPrivateKey {
  readonly algorithm: KemAlgorithm;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export interface KemPublicKey {
  readonly algorithm: KemAlgorithm;
  readonly publicKey: KeyObject;
}

/** A fresh key pair. */
export function generateKemKey(algorithm: KemAlgorithm): KemPrivateKey {
  return { algorithm, ...generateKeyPairSync(kemAlgorithms[algorithm].nodeKeyType) };
}

/** From the 64-byte seed d ‖ z (FIPS 203 §7.1). @throws CryptoError ERR_KEM */
export function importKemSeed(algorithm: KemAlgorithm, seed: Uint8Array): KemPrivateKey {
  const info = kemAlgorithms[algorithm];
  requireLength(algorithm, 'seed', seed, info.seedBytes);
  const privateKey = createPrivateKey({
    key: Buffer.from(seed),
    format: 'raw-seed',
    asymmetricKeyType: info.nodeKeyType,
  });
  return { algorithm, privateKey, publicKey: createPublicKey(privateKey) };
}

/** From the raw encapsulation key; OpenSSL does the modulus check of FIPS 203 §7.2. @throws CryptoError ERR_KEM */
export function importKemPublicKey(algorithm: KemAlgorithm, raw: Uint8Array): KemPublicKey {
  const info = kemAlgorithms[algorithm];
  requireLength(algorithm, 'public key', raw, info.publicKeyBytes);
  try {
    const publicKey = createPublicKey({
      key: Buffer.from(raw),
      format: 'raw-public',
      asymmetricKeyType: info.nodeKeyType,
    });
    return { algorithm, publicKey };
  } catch (error) {
    throw new CryptoError('ERR_KEM', `not a ${algorithm} public key`, error);
  }
}

/** The raw encapsulation key. */
export function exportKemPublicKey(key: KemPublicKey): Buffer {
  return key.publicKey.export({ format: 'raw-public' });
}

/** A fresh shared key of 32 bytes, and the ciphertext that carries it. */
export function encapsulate(key: KemPublicKey): { readonly sharedKey: Buffer; readonly ciphertext: Buffer } {
  return nodeEncapsulate(key.publicKey);
}

/**
 * The shared key in a ciphertext. A ciphertext of the right length that was not made for this key yields a key nobody
 * knows (implicit rejection, FIPS 203 §6.3), never an error.
 * @throws CryptoError ERR_KEM when the length is wrong
 */
export function decapsulate(key: KemPrivateKey, ciphertext: Uint8Array): Buffer {
  requireLength(key.algorithm, 'ciphertext', ciphertext, kemAlgorithms[key.algorithm].ciphertextBytes);
  return nodeDecapsulate(key.privateKey, ciphertext);
}

function requireLength(algorithm: KemAlgorithm, what: string, bytes: Uint8Array, expected: number): void {
  if (bytes.length !== expected) {
    throw new CryptoError('ERR_KEM', `${algorithm}: ${what} has ${bytes.length} bytes, expected ${expected}`);
  }
}
