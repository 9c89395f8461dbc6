// The OIDC identity token that Fulcio turns into a certificate (RFC 7519; OpenID Connect Core 1.0 §2). It is a credential:
// it is held in a closure, so that printing the object shows what it says and never the token. Its signature is for Fulcio
// to check; what is read here only tells a user early why it would be refused.

import { isJsonObject, parseStrictJson } from '../../registry/strict-json.ts';
import { SigningError } from '../errors.ts';

export interface IdentityToken {
  readonly issuer: string;
  /** What the holder signs to prove possession of the key: the verified e-mail address, or else the subject claim. */
  readonly subject: string;
  readonly expiresAt: Date;
  /** The token itself, for the request to Fulcio alone. */
  reveal(): string;
}

/** The audience that Fulcio's public-good instance, and the default configuration, expect. */
export const defaultAudience = 'sigstore';

/** GitHub's are below 2 KB; GitLab's grow with the names of groups and projects. */
export const maxTokenBytes = 16 * 1024;

const maxClaimsDepth = 16;

/** A token that runs out while it is on its way is refused by Fulcio with less to say. */
const leastRemainingMilliseconds = 10_000;
/** How far the issuer's clock may be ahead of ours. */
const clockSkewMilliseconds = 60_000;

const compactJws = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

export interface TokenExpectation {
  readonly audience: string;
  readonly now: Date;
  /** Where the token came from, for messages. */
  readonly source: string;
}

/**
 * Reads a token and refuses one that cannot work. No message quotes it.
 * @throws SigningError ERR_IDENTITY_TOKEN
 */
export function readIdentityToken(text: string, expectation: TokenExpectation): IdentityToken {
  const { audience, now, source } = expectation;
  const token = text.trim();
  if (token.length > maxTokenBytes) refuse(source, `is longer than ${maxTokenBytes} bytes`);
  const claims = claimsOf(token, source);
  const { iss: issuer, exp, nbf } = claims;
  if (typeof issuer !== 'string' || issuer === '') refuse(source, 'names no issuer (claim iss)');
  if (typeof exp !== 'number') refuse(source, 'does not say when it expires (claim exp)');
  const expiresAt = new Date(exp * 1000);
  if (!(expiresAt.getTime() >= now.getTime() + leastRemainingMilliseconds)) {
    refuse(source, `expired, or is about to (${iso(expiresAt)}; it is ${iso(now)}); get a fresh one`);
  }
  if (typeof nbf === 'number' && nbf * 1000 > now.getTime() + clockSkewMilliseconds) {
    refuse(
      source,
      `is not valid before ${iso(new Date(nbf * 1000))} (it is ${iso(now)}); check this machine's clock`,
    );
  }
  checkAudience(claims['aud'], audience, source);
  return { issuer, subject: subjectOf(claims, source), expiresAt, reveal: () => token };
}

function claimsOf(token: string, source: string): Readonly<Record<string, unknown>> {
  const payload = compactJws.test(token) ? token.split('.')[1] : undefined;
  if (payload === undefined) refuse(source, 'is not a JSON web token (three parts, separated by dots)');
  try {
    const limits = { maxBytes: maxTokenBytes, maxDepth: maxClaimsDepth };
    const claims = parseStrictJson(Buffer.from(payload, 'base64url'), limits);
    if (isJsonObject(claims)) return claims;
  } catch {
    // The cause is dropped: a parser's message may quote what it read.
  }
  refuse(source, 'is not a JSON web token: its claims cannot be read');
}

/** RFC 7519 §4.1.3: one audience, or a list. */
function checkAudience(aud: unknown, wanted: string, source: string): void {
  const audiences = Array.isArray(aud) ? aud : [aud];
  if (audiences.includes(wanted)) return;
  refuse(
    source,
    `is not meant for "${wanted}" (claim aud); ask your CI system for a token with the audience "${wanted}" (GitLab: id_tokens: {SIGSTORE_ID_TOKEN: {aud: ${wanted}}})`,
  );
}

/** Fulcio's rule for the proof of possession: an e-mail address counts only where the issuer says it is verified. */
function subjectOf(claims: Readonly<Record<string, unknown>>, source: string): string {
  const { email, email_verified: verified, sub } = claims;
  if (typeof email === 'string' && email !== '') {
    if (verified === true || verified === 'true') return email;
    refuse(source, 'holds an e-mail address that its issuer has not verified (claim email_verified)');
  }
  if (typeof sub === 'string' && sub !== '') return sub;
  refuse(source, 'names no subject (claim sub)');
}

function iso(date: Date): string {
  return Number.isNaN(date.getTime()) ? 'no date' : date.toISOString();
}

function refuse(source: string, what: string): never {
  throw new SigningError('ERR_IDENTITY_TOKEN', `the identity token from ${source} ${what}`);
}
