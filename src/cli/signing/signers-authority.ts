import type { PublicKey } from '../../signing/keys/public-key.ts';
import type { Authority, KeylessVerifier } from '../../signing/verify/policy.ts';

/** The keys of a command line, and the certificate it asks for beside them, as one authority: all of them together. */
export function signersAuthority(
  keys: readonly PublicKey[],
  keyless: KeylessVerifier | undefined,
): Authority {
  return {
    name: 'signers',
    threshold: 1,
    keysets: keys.length === 0 ? [] : [{ name: 'keys', notAfter: undefined, keys }],
    keyless,
  };
}
