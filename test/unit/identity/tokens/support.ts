// Keys of a trust domain, and tokens with something wrong about them.

import { generateSigningKey, type SigningKey } from '../../../../src/crypto/keys.ts';
import { publicJwk } from '../../../../src/identity/tokens/jwk.ts';
import { signJws } from '../../../../src/identity/tokens/jws.ts';
import { createTokenIssuer, type TokenSigningKeys } from '../../../../src/identity/tokens/token-issuer.ts';
import { tokenJwksOf, tokenKeysFromJwks } from '../../../../src/identity/tokens/token-keys.ts';
import type { TokenType } from '../../../../src/identity/tokens/types.ts';
import { verifyToken } from '../../../../src/identity/tokens/verify.ts';
import { now } from '../support/storage.ts';

export const trustDomain = 'mesh.example';
export const subject = 'spiffe://mesh.example/ns/shop/sa/client';
export const audience = 'spiffe://mesh.example/ns/shop/sa/server';

export function newSigningKeys(): TokenSigningKeys {
  return { 'ML-DSA': generateSigningKey('ML-DSA-65'), 'JWT-SVID': generateSigningKey('ECDSA-P256') };
}

export const signingKeys = newSigningKeys();
export const jwks = tokenJwksOf(signingKeys);
export const keys = tokenKeysFromJwks(jwks);
const issuer = createTokenIssuer(trustDomain, signingKeys);

export const mint = (type: TokenType, change: { spiffeId?: string; audience?: string; now?: Date } = {}) =>
  issuer.mint({ type, spiffeId: subject, audience, now, ...change });

/** The outcome in a word: a good token's type, or why it is none. */
export function judge(token: string, at: Date = now): string {
  const verdict = verifyToken(token, keys, { trustDomain, now: at });
  return typeof verdict === 'string' ? verdict : `good ${verdict.type}`;
}

export const seconds = (at: Date): number => Math.floor(at.getTime() / 1000);

/** What a minted token says. */
export const goodClaims = {
  sub: subject,
  aud: [audience],
  iat: seconds(now),
  exp: seconds(now) + 300,
};

export function goodHeader(type: TokenType): Record<string, unknown> {
  const { alg, kid } = publicJwk(type, signingKeys[type].publicKey);
  return { alg, kid, typ: 'JWT' };
}

type Part = Record<string, unknown> | string | Buffer;

export interface Forgery {
  readonly type?: TokenType;
  /** Takes the place of the good header's members; undefined leaves one out. A string or bytes are taken as the whole JSON text. */
  readonly header?: Part;
  readonly claims?: Part;
  readonly key?: SigningKey;
}

/** A token with a good signature over whatever it says. */
export function forgeToken({ type = 'ML-DSA', header = {}, claims = {}, key }: Forgery): string {
  const part = (good: object, change: Part): string => {
    if (Buffer.isBuffer(change)) return change.toString('base64url');
    const text = typeof change === 'string' ? change : JSON.stringify({ ...good, ...change });
    return Buffer.from(text).toString('base64url');
  };
  const signingInput = `${part(goodHeader(type), header)}.${part(goodClaims, claims)}`;
  return `${signingInput}.${signJws(key ?? signingKeys[type], signingInput).toString('base64url')}`;
}
