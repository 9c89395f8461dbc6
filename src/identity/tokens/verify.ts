// Verifies a token, synchronously: everything but whom it may name and for whom it is, which the policy says.

import { parseSpiffeId } from '../../crypto/spiffe-id.ts';
import { clockSkewMs, maxTokenLifetimeMs } from '../lifetimes.ts';
import { decodeBase64url } from './base64url.ts';
import { type JsonObject, parseJsonObject } from './json.ts';
import { verifyJws } from './jws.ts';
import type { TokenKey, TokenKeys } from './token-keys.ts';
import { joseAlgorithm, maxAudienceChars, maxTokenChars, type TokenType } from './types.ts';

export interface VerifiedToken {
  readonly type: TokenType;
  /** A SPIFFE ID of the trust domain. */
  readonly subject: string;
  readonly audience: string;
  readonly issuedAt: Date;
  readonly expiresAt: Date;
  /** All of them, as they were signed. */
  readonly claims: Readonly<Record<string, unknown>>;
}

export type TokenFailure =
  /** Not the strict form: three canonical base64url parts, JSON objects without duplicate members, no header of another kind. */
  | 'token-malformed'
  /** The `kid` is that of no key of the trust domain. */
  | 'token-unknown-key'
  /** The header claims another algorithm than the key has. */
  | 'token-algorithm'
  | 'token-signature'
  | 'token-expired'
  | 'token-not-yet-valid'
  /** Not from `iat` to at most five minutes later. */
  | 'token-lifetime'
  /** Not exactly one. */
  | 'token-audience'
  /** Not a SPIFFE ID of the trust domain. */
  | 'token-subject';

export interface VerifyOptions {
  readonly trustDomain: string;
  readonly now: Date;
}

/** Ours have 100 characters; it is read before anything about the token is known. */
const maxHeaderChars = 1024;

/** JWT-SVID §2: any other one, `crit` and those that bring keys along included, must not be there. */
const headerNames: ReadonlySet<string> = new Set(['alg', 'kid', 'typ']);
/** JWT-SVID §2.3. */
const headerTypes: ReadonlySet<unknown> = new Set([undefined, 'JWT', 'JOSE']);

/**
 * Never throws. Times are checked with the tolerance for clocks that certificates have too.
 * @returns the token, or what is wrong with it
 */
export function verifyToken(
  token: string,
  keys: TokenKeys,
  options: VerifyOptions,
): VerifiedToken | TokenFailure {
  const parts = split(token);
  const header = parts === undefined ? undefined : readHeader(parts.header);
  if (parts === undefined || header === undefined) return 'token-malformed';
  const key = keys.byKid.get(header.kid);
  if (key === undefined) return 'token-unknown-key';
  if (header.alg !== joseAlgorithm(key.type)) return 'token-algorithm';
  if (!verifyJws(key, parts.signingInput, parts.signature)) return 'token-signature';
  const claims = parseJsonObject(parts.claims);
  return claims === undefined ? 'token-malformed' : judgeClaims(claims, key, options);
}

interface Parts {
  readonly header: string;
  readonly claims: Buffer;
  /** What is signed: the first two parts as they are. */
  readonly signingInput: string;
  readonly signature: Buffer;
}

/** JWS Compact Serialization (RFC 7515 §3.1). */
function split(token: string): Parts | undefined {
  if (token.length > maxTokenChars) return undefined;
  const [header = '', middle = '', last = '', ...more] = token.split('.', 4);
  const claims = decodeBase64url(middle);
  const signature = decodeBase64url(last);
  if (more.length > 0 || claims === undefined || signature === undefined) return undefined;
  return { header, claims, signature, signingInput: `${header}.${middle}` };
}

function readHeader(encoded: string): { readonly alg: string; readonly kid: string } | undefined {
  if (encoded.length > maxHeaderChars) return undefined;
  const bytes = decodeBase64url(encoded);
  const header = bytes === undefined ? undefined : parseJsonObject(bytes);
  if (header === undefined || !Object.keys(header).every((name) => headerNames.has(name))) return undefined;
  const { alg, kid, typ } = header;
  if (typeof alg !== 'string' || typeof kid !== 'string' || !headerTypes.has(typ)) return undefined;
  return { alg, kid };
}

function judgeClaims(
  claims: JsonObject,
  key: TokenKey,
  { trustDomain, now }: VerifyOptions,
): VerifiedToken | TokenFailure {
  const issued = instant(claims['iat']);
  const expires = instant(claims['exp']);
  if (issued === undefined || expires === undefined) return 'token-lifetime';
  if (!(expires > issued && expires - issued <= maxTokenLifetimeMs)) return 'token-lifetime';
  const begins = claims['nbf'] === undefined ? issued : instant(claims['nbf']);
  if (begins === undefined) return 'token-malformed';
  // RFC 7519 §4.1.4: on or after `exp` is too late. Written so that an invalid clock is refused as well.
  if (!(now.getTime() < expires + clockSkewMs)) return 'token-expired';
  if (!(now.getTime() >= Math.max(issued, begins) - clockSkewMs)) return 'token-not-yet-valid';
  const audience = onlyAudience(claims['aud']);
  if (audience === undefined) return 'token-audience';
  const subject = claims['sub'];
  if (!isWorkloadOf(trustDomain, subject)) return 'token-subject';
  return {
    type: key.type,
    subject,
    audience,
    issuedAt: new Date(issued),
    expiresAt: new Date(expires),
    claims,
  };
}

/** What a Date can hold, in seconds. */
const maxSeconds = 8_640_000_000_000;

/** Milliseconds of a NumericDate (RFC 7519 §2); only whole seconds after 1970, so that there is nothing to round. */
function instant(seconds: unknown): number | undefined {
  if (typeof seconds !== 'number' || !Number.isInteger(seconds)) return undefined;
  return seconds >= 0 && seconds <= maxSeconds ? seconds * 1000 : undefined;
}

/** RFC 7519 §4.1.3: a string, or an array of strings. */
function onlyAudience(aud: unknown): string | undefined {
  const [only, ...more]: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (typeof only !== 'string' || more.length > 0) return undefined;
  return only.length > 0 && only.length <= maxAudienceChars ? only : undefined;
}

function isWorkloadOf(trustDomain: string, subject: unknown): subject is string {
  if (typeof subject !== 'string') return false;
  try {
    const id = parseSpiffeId(subject);
    return id.trustDomain === trustDomain && id.path !== '';
  } catch {
    return false;
  }
}
