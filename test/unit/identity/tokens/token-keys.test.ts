import { ml_dsa65 } from '@noble/post-quantum/ml-dsa.js';
import { describe, expect, test } from 'vitest';
import { encodeSpki, parseSpki } from '../../../../src/crypto/spki.ts';
import { IdentityError } from '../../../../src/identity/errors.ts';
import { publicJwk } from '../../../../src/identity/tokens/jwk.ts';
import {
  type TokenJwks,
  type TokenKeys,
  tokenJwksOf,
  tokenKeysFromJwks,
} from '../../../../src/identity/tokens/token-keys.ts';
import { jwks, newSigningKeys, signingKeys } from './support.ts';

type Jwk = Record<string, unknown>;

const keysOf = (text: string): Jwk[] => (JSON.parse(text) as { keys: Jwk[] }).keys;
const only = (text: string): Jwk => keysOf(text)[0] ?? {};
const setOf = (...keys: unknown[]): string => JSON.stringify({ keys });
const akp = only(jwks.workloadTokens);
const ec = only(jwks.jwtSvids);

const kidsOf = ({ byKid }: TokenKeys) => [...byKid].map(([kid, { type }]) => [kid, type]);
const both = [
  [akp['kid'], 'ML-DSA'],
  [ec['kid'], 'JWT-SVID'],
];

function expectInvalid(reason: RegExp, change: Partial<TokenJwks>): void {
  let thrown: unknown;
  try {
    tokenKeysFromJwks({ ...jwks, ...change });
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(IdentityError);
  expect(thrown).toMatchObject({ code: 'ERR_TOKEN_KEYS_INVALID', message: expect.stringMatching(reason) });
}

describe('the JWK sets', () => {
  test('hold what RFC 9964 and the SPIFFE bundle format want, and nothing private', () => {
    const base64url = expect.stringMatching(/^[A-Za-z0-9_-]+$/);
    expect(keysOf(jwks.workloadTokens)).toEqual([
      { kty: 'AKP', alg: 'ML-DSA-65', use: 'sig', kid: base64url, pub: base64url },
    ]);
    expect(keysOf(jwks.jwtSvids)).toEqual([
      { kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'jwt-svid', kid: base64url, x: base64url, y: base64url },
    ]);
  });

  test('are read back as the same keys', () => {
    const keys = tokenKeysFromJwks(jwks);
    expect(kidsOf(keys)).toEqual(both);
    for (const { type, publicKey } of keys.byKid.values())
      expect(publicKey.equals(signingKeys[type].publicKey)).toBe(true);
  });

  test('name a key by its thumbprint: that of the seed of zeros is in RFC 9964', () => {
    const { publicKey } = parseSpki(encodeSpki('ML-DSA-65', ml_dsa65.keygen(new Uint8Array(32)).publicKey));
    expect(publicJwk('ML-DSA', publicKey).kid).toBe('Suiu29qbfuaBaR4Ats-c6XQBePB_OpAxAwcTR_0KXVM');
  });
});

describe('a key is passed over', () => {
  test.each<[string, Partial<TokenJwks>]>([
    ['of an unknown type', { workloadTokens: setOf({ kty: 'RSA', n: 'x', e: 'AQAB' }, akp) }],
    ['of no type', { workloadTokens: setOf({}, akp) }],
    ['for encryption', { workloadTokens: setOf({ ...akp, use: 'enc', kid: 'other' }, akp) }],
    ['for certificates', { jwtSvids: setOf({ ...ec, use: 'x509-svid', x5c: [] }, ec) }],
    ['that does not say what it is for', { jwtSvids: setOf({ ...ec, use: undefined, kid: 'other' }, ec) }],
    ['of the other kind of token', { workloadTokens: setOf(ec, akp), jwtSvids: setOf(akp, ec) }],
  ])('%s', (_, change) => {
    expect(kidsOf(tokenKeysFromJwks({ ...jwks, ...change }))).toEqual(both);
  });
});

describe('a key is taken', () => {
  test.each<[string, Partial<TokenJwks>]>([
    ['an AKP one that does not say what it is for', { workloadTokens: setOf({ ...akp, use: undefined }) }],
    ['an EC one that does not say its algorithm', { jwtSvids: setOf({ ...ec, alg: undefined }) }],
    [
      'one with more to say',
      { jwtSvids: JSON.stringify({ spiffe_sequence: 1, keys: [{ ...ec, key_ops: ['verify'] }] }) },
    ],
  ])('%s', (_, change) => {
    expect(kidsOf(tokenKeysFromJwks({ ...jwks, ...change }))).toEqual(both);
  });
});

describe('a set is refused', () => {
  const short = (value: unknown): string =>
    Buffer.from(String(value), 'base64url').subarray(1).toString('base64url');
  const long = (value: unknown): string =>
    Buffer.concat([Buffer.alloc(1), Buffer.from(String(value), 'base64url')]).toString('base64url');
  const mlDsa = (...keys: unknown[]) => ({ workloadTokens: setOf(...keys) });
  const svid = (...keys: unknown[]) => ({ jwtSvids: setOf(...keys) });
  const other = tokenJwksOf(newSigningKeys());

  test.each<[string, RegExp, Partial<TokenJwks>]>([
    ['that is empty text', /not a JSON object with an array "keys"/, { workloadTokens: '' }],
    ['that is no JSON', /not a JSON object/, { jwtSvids: '{' }],
    ['that is an array', /not a JSON object/, { jwtSvids: '[]' }],
    ['without keys', /not a JSON object with an array "keys"/, { jwtSvids: '{}' }],
    ['whose keys are no array', /array "keys"/, { jwtSvids: '{"keys":{}}' }],
    ['with a member twice', /not a JSON object/, { jwtSvids: jwks.jwtSvids.replace('{', '{"keys":[],') }],
    ['of no keys', /no key for these tokens/, mlDsa()],
    ['of keys for other things', /no key for these tokens/, mlDsa(ec)],
    ['of keys for other things', /no key for these tokens/, svid({ ...ec, use: 'sig' })],
    ['with an entry that is no object', /key 2 is not a JSON object/, svid(ec, 'key')],
    ['with an entry that is null', /key 1 is not a JSON object/, svid(null)],
    ['with too many keys', /more than 64 keys/, mlDsa(akp, ...Array.from({ length: 64 }, () => ({})))],
    ['that is too long', /longer than 262144 characters/, mlDsa({ ...akp, note: 'x'.repeat(262_144) })],
    ['with the same key twice', /two keys have the kid/, mlDsa(akp, akp)],
    [
      'with two keys of one name',
      /two keys have the kid/,
      mlDsa(akp, { ...only(other.workloadTokens), kid: akp['kid'] }),
    ],
    ['with a name that the other set has', /two keys have the kid/, svid({ ...ec, kid: akp['kid'] })],
    ['with a key without a name', /no kid of 1 to 256/, mlDsa({ ...akp, kid: undefined })],
    ['with an empty name', /no kid of 1 to 256/, mlDsa({ ...akp, kid: '' })],
    ['with a name that is too long', /no kid of 1 to 256/, mlDsa({ ...akp, kid: 'k'.repeat(257) })],
    ['with a name that is no string', /no kid of 1 to 256/, mlDsa({ ...akp, kid: 1 })],
    [
      'with an ML-DSA key without its algorithm',
      /alg is undefined, not ML-DSA-65/,
      mlDsa({ ...akp, alg: undefined }),
    ],
    ['with a key of ML-DSA-44', /alg is "ML-DSA-44"/, mlDsa({ ...akp, alg: 'ML-DSA-44' })],
    ['with a key of ES384', /alg is "ES384", not ES256/, svid({ ...ec, alg: 'ES384' })],
    ['with a key of another curve', /curve is "P-384", not P-256/, svid({ ...ec, crv: 'P-384' })],
    ['with a key of no curve', /curve is undefined/, svid({ ...ec, crv: undefined })],
    ['with the seed of an ML-DSA key', /private key \(priv\)/, mlDsa({ ...akp, priv: 'AA' })],
    ['with the secret of an ECDSA key', /private key \(d\)/, svid({ ...ec, d: 'AA' })],
    ['with a key that is too short', /pub is not 1952 bytes/, mlDsa({ ...akp, pub: short(akp['pub']) })],
    ['with a key that is too long', /pub is not 1952 bytes/, mlDsa({ ...akp, pub: long(akp['pub']) })],
    ['with a key that is padded', /pub is not 1952 bytes/, mlDsa({ ...akp, pub: `${akp['pub']}=` })],
    ['without the key itself', /pub is not 1952 bytes/, mlDsa({ ...akp, pub: undefined })],
    ['with a coordinate that is too short', /x is not 32 bytes/, svid({ ...ec, x: short(ec['x']) })],
    ['with a coordinate that is too long', /y is not 32 bytes/, svid({ ...ec, y: long(ec['y']) })],
    ['with a point that is not on the curve', /not a public key/, svid({ ...ec, y: ec['x'] })],
  ])('%s', (_, reason, change) => {
    expectInvalid(reason, change);
  });
});
