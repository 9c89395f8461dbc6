// Issuer and subject as a policy names them: the text itself, or a regular expression that must match all of it.

import { RE2JS } from '@bufbuild/re2';
import { SigningError } from '../errors.ts';

/** An exact text, or an expression of RE2's syntax, which matches in time linear in the text. */
export type IdentityPattern = string | { readonly regexp: string };

export interface IdentityMatcher {
  /** For messages. */
  readonly description: string;
  matches(text: string): boolean;
}

/** The longest identity, as in the schema of policies; a certificate may hold a longer text, and matching costs by its length. */
const maxIdentityChars = 1024;
/** Of a regular expression. This and the next as in src/policy/condition/limits.ts: what a policy may say, a command may, too. */
const maxPatternChars = 512;
/** Instructions of a compiled regular expression: each character of the text may cost as many steps. */
const maxPatternSteps = 256;

/**
 * @param what the pattern is for: "issuer" or "subject"
 * @throws SigningError ERR_VERIFICATION_POLICY_INVALID
 */
export function identityMatcher(what: string, pattern: IdentityPattern): IdentityMatcher {
  if (typeof pattern === 'string') {
    if (pattern === '') throw invalid(`the ${what} of a keyless identity is empty`);
    if (pattern.length > maxIdentityChars)
      throw invalid(`the ${what} of a keyless identity is longer than ${maxIdentityChars} characters`);
    return { description: `${what} ${pattern}`, matches: (text) => text === pattern };
  }
  const { regexp } = pattern;
  const expression = compile(what, regexp);
  return {
    description: `${what} matching ${regexp}`,
    // All of the text, unlike cosign, which is content with a part: a subject that merely contains a trusted one is another.
    matches: (text) => text.length <= maxIdentityChars && expression.matches(text),
  };
}

function compile(what: string, source: string): RE2JS {
  if (source === '') throw invalid(`the regular expression for the ${what} is empty`);
  if (source.length > maxPatternChars) {
    throw invalid(
      `a regular expression has ${source.length} characters; at most ${maxPatternChars} are allowed`,
    );
  }
  const expression = parse(source);
  const steps = expression.re2().prog.numInst();
  if (steps > maxPatternSteps) {
    throw invalid(
      `the regular expression ${quoted(source)} compiles to ${steps} steps; at most ${maxPatternSteps} are allowed. Counted repetition, as in {100}, multiplies`,
    );
  }
  return expression;
}

function parse(source: string): RE2JS {
  try {
    return RE2JS.compile(source);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw invalid(`${quoted(source)} is no regular expression of RE2's syntax: ${reason}`, error);
  }
}

const maxQuotedChars = 64;

function quoted(source: string): string {
  return JSON.stringify(source.length > maxQuotedChars ? `${source.slice(0, maxQuotedChars)}…` : source);
}

function invalid(message: string, cause?: unknown): SigningError {
  return new SigningError('ERR_VERIFICATION_POLICY_INVALID', message, cause);
}
