// Limits of conditions in authorization rules and why, in one place; those of all conditions are in condition/limits.ts.
// The bounds below are twenty milliseconds for one condition and fifty for all of a request, reached only where a policy
// and a caller set out to reach them.

/** What one condition may cost at worst. */
export const maxConditionCost = 200_000;
/** Once the conditions asked for one request may have cost this, no further one is: the request is denied. */
export const maxRequestCost = 500_000;

/** Characters of a header's value that a condition reads; what is longer denies. Servers refuse longer ones as a rule. */
export const maxHeaderChars = 8192;
/** The same for path and query. */
export const maxPathChars = 8192;
/** The same for host: a DNS name has 253 characters. */
export const maxHostChars = 512;
/** The same for method: the longest that IANA lists has 17. */
export const maxMethodChars = 64;
/** The longest SPIFFE ID (SPIFFE-ID §2.3). */
export const maxIdChars = 2048;

/** Values in the claims of a token, all levels together. */
export const maxClaimValues = 256;
/** Levels of nested lists and objects in claims. */
export const maxClaimDepth = 16;
/** Characters of all text in the claims of a token. */
export const maxClaimChars = 8192;
