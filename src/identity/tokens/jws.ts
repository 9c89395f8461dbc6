// JWS signatures (RFC 7515) in the forms that JOSE gives them. The algorithm is always that of the key.

import { type KeyObject, sign, verify } from 'node:crypto';
import { type SignatureAlgorithm, signatureAlgorithms } from '../../crypto/algorithms.ts';
import type { SigningKey } from '../../crypto/keys.ts';

/** RFC 7518 §3.4: R and S side by side, not DER. It means nothing to ML-DSA, whose context is empty (RFC 9964 §5). */
const dsaEncoding = 'ieee-p1363';

/** The bytes of a signature over the first two parts of a token, in ASCII. */
export function signJws(key: SigningKey, signingInput: string): Buffer {
  const { hash } = signatureAlgorithms[key.algorithm];
  return sign(hash, Buffer.from(signingInput, 'latin1'), { key: key.privateKey, dsaEncoding });
}

/** Whether a signature is of this key over these parts. One of a wrong length is just not valid. */
export function verifyJws(
  key: { readonly algorithm: SignatureAlgorithm; readonly publicKey: KeyObject },
  signingInput: string,
  signature: Uint8Array,
): boolean {
  const { hash } = signatureAlgorithms[key.algorithm];
  return verify(hash, Buffer.from(signingInput, 'latin1'), { key: key.publicKey, dsaEncoding }, signature);
}
