// The two kinds of token and what each is pinned to.
//
// A JWT-SVID is what other SPIFFE software understands; its specification lists the algorithms it may have, and ML-DSA is not
// among them (JWT-SVID §2.1). Beside it stands the ML-DSA workload token, of the same form (RFC 9964), which a quantum
// computer does not forge. Each kind has one algorithm and keys of its own, so that neither can pass for the other.

import { type IssuingAlgorithm, signatureAlgorithms } from '../../crypto/algorithms.ts';

export type TokenType = 'ML-DSA' | 'JWT-SVID';

export const tokenTypes: readonly TokenType[] = ['ML-DSA', 'JWT-SVID'];

/** Of the signing key. */
export const tokenAlgorithms = {
  'ML-DSA': 'ML-DSA-65',
  'JWT-SVID': 'ECDSA-P256',
} as const satisfies Record<TokenType, IssuingAlgorithm>;

/** The `alg` of a token's header and of its key (IANA's registry of JOSE algorithms). */
export function joseAlgorithm(type: TokenType): string {
  return signatureAlgorithms[tokenAlgorithms[type]].joseName;
}

/**
 * An ML-DSA-65 signature has 4,412 characters as base64url; subject and audience add up to 10,923 at their longest.
 * Envoy takes headers of 60 KiB together. Of ASCII, so bytes as well.
 */
export const maxTokenChars = 16 * 1024;

/** As long as a SPIFFE ID, the usual audience, can be. In UTF-16 units. */
export const maxAudienceChars = 2048;
