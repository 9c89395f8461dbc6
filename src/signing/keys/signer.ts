// Whoever signs: a key in this process, or one that never leaves a key management service.

import { type SigningKey, signBytes, spkiDer, verifyBytes } from '../../crypto/keys.ts';
import { SigningError } from '../errors.ts';
import { type PublicKey, publicKeyFromSpki } from './public-key.ts';

export interface Signer {
  readonly publicKey: PublicKey;
  /**
   * Signs the whole message: ECDSA over the curve's hash as DER, ML-DSA pure with an empty context (FIPS 204 §5.2). The
   * signature has been verified before it is returned.
   * @throws SigningError ERR_SIGNATURE_INVALID, and of a service ERR_KMS_KEY and ERR_KMS_UNAVAILABLE; the signal's reason
   */
  sign(data: Uint8Array, signal?: AbortSignal): Promise<Buffer>;
}

/** A signer with a key in this process. */
export function localSigner(key: SigningKey): Signer {
  const publicKey = publicKeyFromSpki(spkiDer(key));
  return {
    publicKey,
    sign: async (data, signal) => {
      signal?.throwIfAborted();
      return verified(publicKey, data, signBytes(key, data));
    },
  };
}

/**
 * The signature, once it has proved good: a faulty one, of a computer's or of a service's making, could give the key
 * away or be noticed only by those who verify.
 * @throws SigningError ERR_SIGNATURE_INVALID
 */
export function verified(publicKey: PublicKey, data: Uint8Array, signature: Uint8Array): Buffer {
  if (!verifyBytes(publicKey.key, data, signature)) {
    throw new SigningError(
      'ERR_SIGNATURE_INVALID',
      `the ${publicKey.algorithm} signature does not verify under the signer's own public key ${publicKey.spkiSha256}; nothing was written, try again`,
    );
  }
  return Buffer.from(signature);
}
