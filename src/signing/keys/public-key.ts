// Public keys that verify signatures: read in one way or refused, and named by the digest of their SubjectPublicKeyInfo.

import { createHash, type KeyObject } from 'node:crypto';
import { type SignatureAlgorithm, signatureAlgorithms } from '../../crypto/algorithms.ts';
import { CryptoError } from '../../crypto/errors.ts';
import { fromPemOne, toPem } from '../../crypto/pem.ts';
import { parseSpki } from '../../crypto/spki.ts';
import { SigningError } from '../errors.ts';

const publicKeyLabel = 'PUBLIC KEY';

const advice = `give one PEM "PUBLIC KEY" block, as in the .pub file of trellis keygen, of ${Object.keys(signatureAlgorithms).join(', ')}`;

export interface PublicKey {
  readonly algorithm: SignatureAlgorithm;
  /** SubjectPublicKeyInfo, DER. A key has one encoding: points are uncompressed, ML-DSA has no parameters. */
  readonly spki: Buffer;
  /** SHA-256 of `spki`, lower-case hex: how policies and statements name the key. */
  readonly spkiSha256: string;
  readonly key: KeyObject;
}

/**
 * Reads a text with exactly one PUBLIC KEY block (RFC 7468 §13).
 * @throws SigningError ERR_PUBLIC_KEY_INVALID
 */
export function publicKeyFromPem(pem: string): PublicKey {
  return asPublicKeyError(() => publicKeyOf(fromPemOne(pem, publicKeyLabel)));
}

/**
 * Reads a DER SubjectPublicKeyInfo of an algorithm of the table; an EC point must be on its curve.
 * @throws SigningError ERR_PUBLIC_KEY_INVALID
 */
export function publicKeyFromSpki(der: Uint8Array): PublicKey {
  return asPublicKeyError(() => publicKeyOf(der));
}

/** The key as one PEM block, as `openssl pkey -pubin` and cosign read it. */
export function publicKeyPem({ spki }: { readonly spki: Uint8Array }): string {
  return toPem(publicKeyLabel, spki);
}

/** What a Sigstore bundle's `publicKey.hint` holds: base64 of the SHA-256 of the SubjectPublicKeyInfo. */
export function keyHint({ spki }: { readonly spki: Uint8Array }): string {
  return createHash('sha256').update(spki).digest('base64');
}

function publicKeyOf(der: Uint8Array): PublicKey {
  const { algorithm, publicKey } = parseSpki(der);
  // A copy: the caller's buffer may change later.
  const spki = Buffer.from(der);
  return { algorithm, spki, spkiSha256: createHash('sha256').update(spki).digest('hex'), key: publicKey };
}

function asPublicKeyError<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
    throw new SigningError('ERR_PUBLIC_KEY_INVALID', `${error.message}; ${advice}`, error);
  }
}
