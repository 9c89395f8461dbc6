// The public keys that verify tokens, and their form outside: one JWK set for each kind of token, because consumers of
// JWT-SVIDs may refuse a set in which there is a `kty` they do not know.

import type { KeyObject } from 'node:crypto';
import { CryptoError } from '../../crypto/errors.ts';
import type { SigningKey } from '../../crypto/keys.ts';
import { IdentityError } from '../errors.ts';
import { isJsonObject, type JsonObject, parseJsonObject } from './json.ts';
import { jwkForms, keyOfJwk, publicJwk } from './jwk.ts';
import { type TokenType, tokenAlgorithms } from './types.ts';

/** Two during a rotation, a few more with federation. */
const maxKeys = 64;
/** 64 ML-DSA-65 keys have 170 KB. */
const maxJwksChars = 256 * 1024;
/** A thumbprint has 43. */
const maxKidChars = 256;

export interface TokenKey {
  readonly type: TokenType;
  readonly algorithm: (typeof tokenAlgorithms)[TokenType];
  readonly publicKey: KeyObject;
}

/** The public keys of a trust domain, by key id; each is for one algorithm and one kind of token. */
export interface TokenKeys {
  readonly byKid: ReadonlyMap<string, TokenKey>;
}

/** JWK sets (RFC 7517 §5) as JSON. */
export interface TokenJwks {
  /** AKP keys (RFC 9964) of ML-DSA workload tokens. */
  readonly workloadTokens: string;
  /** EC keys of JWT-SVIDs, as in a SPIFFE bundle (SPIFFE Trust Domain and Bundle §4). */
  readonly jwtSvids: string;
}

/** Under which names the control plane writes them into its state directory. */
export const tokenJwksFiles = {
  workloadTokens: 'workload-token-keys.json',
  jwtSvids: 'jwt-svid-keys.json',
} as const satisfies Record<keyof TokenJwks, string>;

/** The public halves of these keys, a set for each kind of token. */
export function tokenJwksOf(keys: Readonly<Record<TokenType, Pick<SigningKey, 'publicKey'>>>): TokenJwks {
  const set = (type: TokenType) => `${JSON.stringify({ keys: [publicJwk(type, keys[type].publicKey)] })}\n`;
  return { workloadTokens: set('ML-DSA'), jwtSvids: set('JWT-SVID') };
}

/**
 * Reads both JWK sets. Keys of another `kty` or `use` are passed over, as RFC 7517 §5 and SPIFFE Trust Domain and Bundle
 * §4.2 want it; what is one of ours must be right, and each set must hold at least one.
 * @throws IdentityError ERR_TOKEN_KEYS_INVALID
 */
export function tokenKeysFromJwks({ workloadTokens, jwtSvids }: TokenJwks): TokenKeys {
  const byKid = new Map<string, TokenKey>();
  for (const [type, text] of [
    ['ML-DSA', workloadTokens],
    ['JWT-SVID', jwtSvids],
  ] as const) {
    for (const { kid, key } of readJwks(type, text)) {
      if (byKid.has(kid)) throw invalid(type, `two keys have the kid ${JSON.stringify(kid)}`);
      byKid.set(kid, key);
    }
  }
  return { byKid };
}

interface NamedKey {
  readonly kid: string;
  readonly key: TokenKey;
}

function readJwks(type: TokenType, text: string): NamedKey[] {
  if (text.length > maxJwksChars) throw invalid(type, `it is longer than ${maxJwksChars} characters`);
  const entries = parseJsonObject(Buffer.from(text))?.['keys'];
  if (!Array.isArray(entries)) throw invalid(type, 'it is not a JSON object with an array "keys"');
  if (entries.length > maxKeys) throw invalid(type, `it has more than ${maxKeys} keys`);
  const ours = entries.flatMap((entry: unknown, index) => {
    if (!isJsonObject(entry)) throw invalid(type, `key ${index + 1} is not a JSON object`);
    return isOf(type, entry) ? [readJwk(type, entry, index)] : [];
  });
  if (ours.length === 0) throw invalid(type, 'there is no key for these tokens in it');
  return ours;
}

function isOf(type: TokenType, { kty, use }: JsonObject): boolean {
  const form = jwkForms[type];
  // A SPIFFE bundle must say what a key is for; elsewhere it is optional (RFC 7517 §4.2).
  return kty === form.kty && (use === form.use || (use === undefined && type === 'ML-DSA'));
}

function readJwk(type: TokenType, jwk: JsonObject, index: number): NamedKey {
  try {
    const { kid } = jwk;
    if (typeof kid !== 'string' || kid === '' || kid.length > maxKidChars)
      throw new SyntaxError(`it has no kid of 1 to ${maxKidChars} characters`);
    return { kid, key: { type, algorithm: tokenAlgorithms[type], publicKey: keyOfJwk(type, jwk) } };
  } catch (error) {
    if (!(error instanceof SyntaxError) && !(error instanceof CryptoError)) throw error;
    throw invalid(type, `key ${index + 1}: ${error.message}`, error);
  }
}

function invalid(type: TokenType, reason: string, cause?: unknown): IdentityError {
  return new IdentityError(
    'ERR_TOKEN_KEYS_INVALID',
    `not a JWK set for ${type} tokens: ${reason}. Take the files that the control plane writes beside its trust anchor`,
    { cause },
  );
}
