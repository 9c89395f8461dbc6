// Limits of every condition, whatever it is about. What one kind of conditions may cost and be given stands beside it. Costs
// are in units of about a tenth of a microsecond, so that they are times (CVE-2025-47281 was a policy engine without bounds).

/** Characters of an expression, as in the schema. Parsing this much takes at most some ten milliseconds. */
export const maxConditionLength = 4096;
/** Levels of an expression: evaluation is recursive. Chains of `||` and `&&` count as their logarithm. */
export const maxDepth = 64;

/** Characters of a regular expression. */
export const maxPatternChars = 512;
/** Instructions of a compiled regular expression: each character of the text may cost as many steps. */
export const maxPatternSteps = 256;
/** Characters that a regular expression is matched against; more is an error, which is not true. */
export const maxMatchedChars = 1024;
/** States of the automaton of a regular expression that are kept between evaluations, about 1 KiB each. */
export const maxPatternStates = 256;
