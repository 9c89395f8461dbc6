// Tokens, as far as deciding goes: what a rule demands of one that has been verified.

import type { AuthorizationRule } from '../effective.ts';
import type { Cause, TokenFailure } from './decision.ts';
import { compilePrincipals, type PrincipalMatcher } from './principals.ts';

type RuleToken = NonNullable<AuthorizationRule['token']>;

export type TokenType = NonNullable<RuleToken['types']>[number];

/** A token whose signature, times and form are in order. */
export interface VerifiedToken {
  readonly type: TokenType;
  /** SPIFFE ID. */
  readonly subject: string;
  readonly audience: string;
  readonly claims: Readonly<Record<string, unknown>>;
}

export type TokenVerifier = (token: string) => VerifiedToken | TokenFailure;

export interface TokenDemand {
  readonly types: ReadonlySet<string>;
  readonly audiences: ReadonlySet<string>;
  /** Undefined: the caller itself. */
  readonly subjects: PrincipalMatcher | undefined;
}

/** What a rule leaves out: only post-quantum tokens, of the caller itself, made for this workload. */
export function compileTokenDemand({ types, audiences, subjects }: RuleToken, workload: string): TokenDemand {
  return {
    types: new Set(types ?? ['ML-DSA']),
    audiences: new Set(audiences ?? [workload]),
    subjects: subjects === undefined ? undefined : compilePrincipals(subjects),
  };
}

/** What is wrong with a verified token for this rule; undefined: nothing. */
export function refuseToken(demand: TokenDemand, token: VerifiedToken, principal: string): Cause | undefined {
  if (!demand.types.has(token.type)) return 'token-type';
  if (!demand.audiences.has(token.audience)) return 'token-audience';
  const named = demand.subjects === undefined ? token.subject === principal : demand.subjects(token.subject);
  return named ? undefined : 'token-subject';
}

/** Where the scheme ends, in `Authorization: Bearer <token>`. The scheme is case-insensitive (RFC 9110 §11.1). */
const scheme = /^bearer +/i;

/**
 * The bearer token among the values of the `authorization` header.
 * @returns the token, or why there is none to judge
 */
export function bearerToken(values: readonly string[]): { token: string } | { cause: Cause } {
  const [value, second] = values;
  // Two recipients could each believe another one.
  if (second !== undefined) return { cause: 'duplicate-header' };
  const prefix = value === undefined ? null : scheme.exec(value);
  if (value === undefined || prefix === null) return { cause: 'token-missing' };
  return { token: value.slice(prefix[0].length) };
}
