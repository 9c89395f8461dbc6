// The message representative μ of ML-DSA (FIPS 204 §5.2, algorithm 2 line 5 and algorithm 7 line 6), for services that
// sign it instead of a long message.

import { createHash } from 'node:crypto';
import { parseSpki } from '../../crypto/spki.ts';

/** Both hashes have 64 bytes, for every parameter set. */
const hashBytes = 64;
/** Domain separator of pure signatures, and the length of an empty context. */
const pureWithEmptyContext = Uint8Array.of(0, 0);

/** SHAKE256(SHAKE256(public key, 64) ‖ 0 ‖ 0 ‖ message, 64). @param spki of an ML-DSA key */
export function externalMu(spki: Uint8Array, message: Uint8Array): Buffer {
  const keyHash = shake256(parseSpki(spki).keyBits);
  return shake256(keyHash, pureWithEmptyContext, message);
}

function shake256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('shake256', { outputLength: hashBytes });
  for (const part of parts) hash.update(part);
  return hash.digest();
}
