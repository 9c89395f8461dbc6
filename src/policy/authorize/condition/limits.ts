// Every limit of conditions and why, in one place. Costs are in units of about a tenth of a microsecond, so that the
// bounds below are times: twenty milliseconds for one condition and fifty for all of a request, reached only where a
// policy and a caller set out to reach them (CVE-2025-47281 was a policy engine without such bounds).

/** Characters of an expression, as in the schema. Parsing this much takes at most some ten milliseconds. */
export const maxConditionLength = 4096;
/** Levels of an expression: evaluation is recursive. Chains of `||` and `&&` count as their logarithm. */
export const maxDepth = 64;
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

/** Characters of a regular expression. */
export const maxPatternChars = 512;
/** Instructions of a compiled regular expression: each character of the text may cost as many steps. */
export const maxPatternSteps = 256;
/** Characters that a regular expression is matched against; more is an error, which is not true. */
export const maxMatchedChars = 1024;
/** States of the automaton of a regular expression that are kept between requests, about 1 KiB each. */
export const maxPatternStates = 256;
