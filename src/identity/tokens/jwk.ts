// Public keys of tokens as JSON Web Keys: AKP for ML-DSA (RFC 9964 §3), EC for JWT-SVIDs (RFC 7518 §6.2).

import { createHash, type KeyObject } from 'node:crypto';
import { signatureAlgorithms } from '../../crypto/algorithms.ts';
import { encodeSpki, parseSpki } from '../../crypto/spki.ts';
import { decodeBase64url } from './base64url.ts';
import type { JsonObject } from './json.ts';
import { joseAlgorithm, type TokenType, tokenAlgorithms } from './types.ts';

/** The members that are the key, in the order of RFC 7638 §3.3: what the thumbprint is made of. */
type KeyMembers =
  | { readonly alg: string; readonly kty: 'AKP'; readonly pub: string }
  | { readonly crv: 'P-256'; readonly kty: 'EC'; readonly x: string; readonly y: string };

/** What a consumer needs to verify tokens: binary values as base64url. */
export type PublicJwk = KeyMembers & { readonly alg: string; readonly use: string; readonly kid: string };

/** The SPIFFE bundle format has a `use` of its own for JWT-SVIDs (SPIFFE Trust Domain and Bundle §4.2.2). */
export const jwkForms = {
  'ML-DSA': { kty: 'AKP', use: 'sig' },
  'JWT-SVID': { kty: 'EC', use: 'jwt-svid' },
} as const satisfies Record<TokenType, { readonly kty: string; readonly use: string }>;

const coordinateBytes = 32;
/** SEC 1 §2.3.3: what stands before the coordinates of an uncompressed point. */
const uncompressed = Buffer.from([0x04]);

/**
 * The JWK of a public key; its `kid` is its thumbprint.
 * @throws CryptoError for a key of an algorithm that is none of the mesh's
 */
export function publicJwk(type: TokenType, publicKey: KeyObject): PublicJwk {
  const { keyBits } = parseSpki(publicKey.export({ format: 'der', type: 'spki' }));
  const members = keyMembers(type, keyBits);
  return { ...members, alg: joseAlgorithm(type), use: jwkForms[type].use, kid: thumbprint(members) };
}

function keyMembers(type: TokenType, keyBits: Buffer): KeyMembers {
  if (type === 'ML-DSA') return { alg: joseAlgorithm(type), kty: 'AKP', pub: keyBits.toString('base64url') };
  const coordinates = keyBits.subarray(uncompressed.length);
  return {
    crv: 'P-256',
    kty: 'EC',
    x: coordinates.toString('base64url', 0, coordinateBytes),
    y: coordinates.toString('base64url', coordinateBytes),
  };
}

/** RFC 7638 §3; which members of an AKP key count says RFC 9964 §6. */
function thumbprint(members: KeyMembers): string {
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url');
}

/**
 * The key of a JWK that has the `kty` of this kind.
 * @throws SyntaxError that says what is wrong with it; CryptoError where OpenSSL does not take the key
 */
export function keyOfJwk(type: TokenType, jwk: JsonObject): KeyObject {
  for (const secret of ['priv', 'd']) {
    if (secret in jwk) throw new SyntaxError(`it holds a private key (${secret}), which must be replaced`);
  }
  const { alg } = jwk;
  // RFC 9964 §3 demands it of AKP keys; to others it may only say what is known anyway.
  if (alg !== joseAlgorithm(type) && !(alg === undefined && type === 'JWT-SVID')) {
    throw new SyntaxError(`its alg is ${JSON.stringify(alg)}, not ${joseAlgorithm(type)}`);
  }
  return parseSpki(encodeSpki(tokenAlgorithms[type], keyBitsOf(type, jwk))).publicKey;
}

function keyBitsOf(type: TokenType, jwk: JsonObject): Buffer {
  if (type === 'ML-DSA')
    return bytesOf(jwk, 'pub', signatureAlgorithms[tokenAlgorithms[type]].publicKeyBytes);
  if (jwk['crv'] !== 'P-256') throw new SyntaxError(`its curve is ${JSON.stringify(jwk['crv'])}, not P-256`);
  return Buffer.concat([
    uncompressed,
    bytesOf(jwk, 'x', coordinateBytes),
    bytesOf(jwk, 'y', coordinateBytes),
  ]);
}

function bytesOf(jwk: JsonObject, member: string, length: number): Buffer {
  const value = jwk[member];
  const bytes = typeof value === 'string' ? decodeBase64url(value) : undefined;
  if (bytes?.length !== length) throw new SyntaxError(`its ${member} is not ${length} bytes as base64url`);
  return bytes;
}
