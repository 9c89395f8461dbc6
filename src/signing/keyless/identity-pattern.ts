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

/** Longer ones are no identities. */
const maxPatternCharacters = 1024;
/** Of the compiled expression. Counted repetition multiplies: (.{100}){100} would be a million. */
const maxPatternSteps = 10_000;

/**
 * @param what the pattern is for: "issuer" or "subject"
 * @throws SigningError ERR_VERIFICATION_POLICY_INVALID
 */
export function identityMatcher(what: string, pattern: IdentityPattern): IdentityMatcher {
  const source = typeof pattern === 'string' ? pattern : pattern.regexp;
  if (source === '') throw invalid(`the ${what} of a keyless identity is empty`);
  if (source.length > maxPatternCharacters)
    throw invalid(`the ${what} of a keyless identity is longer than ${maxPatternCharacters} characters`);
  if (typeof pattern === 'string') {
    return { description: `${what} ${pattern}`, matches: (text) => text === pattern };
  }
  const expression = compile(what, source);
  // All of the text, unlike cosign, which is content with a part: a subject that merely contains a trusted one is another.
  return { description: `${what} matching ${source}`, matches: (text) => expression.matches(text) };
}

function compile(what: string, source: string): RE2JS {
  let expression: RE2JS;
  try {
    expression = RE2JS.compile(source);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw invalid(
      `the ${what} ${JSON.stringify(source)} is no regular expression of RE2's syntax: ${reason}`,
      error,
    );
  }
  if (expression.re2().prog.numInst() > maxPatternSteps)
    throw invalid(
      `the regular expression for the ${what} is too large; counted repetition, as in {100}, multiplies`,
    );
  return expression;
}

function invalid(message: string, cause?: unknown): SigningError {
  return new SigningError('ERR_VERIFICATION_POLICY_INVALID', message, cause);
}
