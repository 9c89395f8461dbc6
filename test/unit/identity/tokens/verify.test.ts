import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { generateSigningKey } from '../../../../src/crypto/keys.ts';
import { clockSkewMs, maxTokenLifetimeMs } from '../../../../src/identity/lifetimes.ts';
import { createTokenIssuer } from '../../../../src/identity/tokens/token-issuer.ts';
import { tokenJwksOf, tokenKeysFromJwks } from '../../../../src/identity/tokens/token-keys.ts';
import { maxTokenChars, tokenTypes } from '../../../../src/identity/tokens/types.ts';
import { verifyToken } from '../../../../src/identity/tokens/verify.ts';
import { at, now } from '../support/storage.ts';
import {
  audience,
  forgeToken,
  goodClaims,
  goodHeader,
  judge,
  jwks,
  keys,
  mint,
  newSigningKeys,
  seconds,
  signingKeys,
  subject,
  trustDomain,
} from './support.ts';

const encode = (text: string | Uint8Array): string => Buffer.from(text as string).toString('base64url');
const partsOf = (token: string): [string, string, string] => token.split('.') as [string, string, string];

describe.each(tokenTypes)('a %s token', (type) => {
  const { token } = mint(type);

  test('that was minted here is good, and says what was asked for', () => {
    expect(verifyToken(token, keys, { trustDomain, now })).toEqual({
      type,
      subject,
      audience,
      issuedAt: now,
      expiresAt: at(maxTokenLifetimeMs),
      claims: goodClaims,
    });
  });

  test('that was forged in the same form is good: the other tests forge with this', () => {
    expect(judge(forgeToken({ type }))).toBe(`good ${type}`);
  });

  test('is good from the moment it is issued until it expires, with a minute for the clocks', () => {
    const expiry = maxTokenLifetimeMs;
    expect(judge(token, at(-clockSkewMs))).toBe(`good ${type}`);
    expect(judge(token, at(-clockSkewMs - 1))).toBe('token-not-yet-valid');
    expect(judge(token, at(expiry + clockSkewMs - 1))).toBe(`good ${type}`);
    expect(judge(token, at(expiry + clockSkewMs))).toBe('token-expired');
    expect(judge(token, at(Number.NaN))).toBe('token-expired');
  });

  test('is of no use when any of its characters is another one', () => {
    const step = Math.ceil(token.length / 150);
    for (let index = 0; index < token.length; index += step) {
      for (const other of ['A', '!', '.']) {
        if (token[index] === other) continue;
        const altered = token.slice(0, index) + other + token.slice(index + 1);
        expect(judge(altered)).not.toMatch(/^good/);
      }
    }
  });

  test('has one spelling: the unused bits of its last characters are zero', () => {
    let tried = 0;
    for (const [index, part] of partsOf(token).entries()) {
      // 4 base64url characters hold 3 bytes; a last group of 2 or 3 has 4 or 2 bits to spare.
      if (part.length % 4 === 0) continue;
      tried++;
      const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
      const last = alphabet[alphabet.indexOf(part.at(-1) ?? '') + 1] ?? '';
      const other = part.slice(0, -1) + last;
      expect(Buffer.from(other, 'base64url')).toEqual(Buffer.from(part, 'base64url'));
      expect(judge(partsOf(token).with(index, other).join('.'))).toBe('token-malformed');
    }
    expect(tried).toBeGreaterThan(0);
  });

  test.each<[string, (parts: [string, string, string]) => string]>([
    ['padded', ([h, c, s]) => `${h}.${c}.${s}=`],
    [
      'in base64 instead of base64url',
      ([h, c, s]) => `${h}.${c}.${Buffer.from(s, 'base64url').toString('base64')}`,
    ],
    ['with white space', ([h, c, s]) => `${h}.${c}.${s}\n`],
    ['with white space inside', ([h, c, s]) => `${h}. ${c}.${s}`],
    ['without its signature', ([h, c]) => `${h}.${c}.`],
    ['without the last dot', ([h, c]) => `${h}.${c}`],
    ['with something after it', ([h, c, s]) => `${h}.${c}.${s}.`],
    ['with five parts, as an encrypted one has', ([h, c, s]) => `${h}.${c}.${s}.${c}.${s}`],
    ['with a detached payload', ([h, , s]) => `${h}..${s}`],
    ['as a JSON serialization', ([h, c, s]) => JSON.stringify({ protected: h, payload: c, signature: s })],
    ['of nothing', () => ''],
    ['of dots', () => '..'],
  ])('is malformed %s', (_, change) => {
    expect(judge(change(partsOf(token)))).toBe('token-malformed');
  });

  test('is verified by the key it names and no other', () => {
    const other = newSigningKeys();
    expect(judge(forgeToken({ type, key: other[type] }))).toBe('token-signature');
    expect(judge(forgeToken({ type, header: { kid: 'another' } }))).toBe('token-unknown-key');
    expect(judge(forgeToken({ type, header: { kid: '__proto__' } }))).toBe('token-unknown-key');
    const none = { byKid: new Map() };
    expect(verifyToken(token, none, { trustDomain, now })).toBe('token-unknown-key');
  });

  test('of a signature of a wrong length is not signed', () => {
    const [h, c, s] = partsOf(token);
    const signature = Buffer.from(s, 'base64url');
    for (const wrong of [
      signature.subarray(1),
      signature.subarray(0, 1),
      Buffer.concat([signature, Buffer.from([0])]),
      Buffer.alloc(signature.length),
      Buffer.alloc(signature.length, 0xff),
    ]) {
      expect(judge(`${h}.${c}.${encode(wrong)}`)).toBe('token-signature');
    }
  });
});

describe('the algorithm is that of the key', () => {
  const kidOf = (type: 'ML-DSA' | 'JWT-SVID') => goodHeader(type)['kid'];

  test.each(['none', 'None', 'HS256', 'ES384', 'ES256', 'ML-DSA-44', 'ML-DSA-87', 'ml-dsa-65', 'EdDSA', ''])(
    'whatever the header claims: %j',
    (alg) => {
      expect(judge(forgeToken({ header: { alg } }))).toBe('token-algorithm');
    },
  );

  test('in both directions', () => {
    const { 'ML-DSA': mlDsa, 'JWT-SVID': ecdsa } = signingKeys;
    expect(judge(forgeToken({ type: 'JWT-SVID', header: { alg: 'ML-DSA-65' } }))).toBe('token-algorithm');
    // The key of the other kind of token, under its own name and under this one's.
    expect(judge(forgeToken({ header: { kid: kidOf('JWT-SVID') }, key: mlDsa }))).toBe('token-algorithm');
    expect(judge(forgeToken({ key: ecdsa }))).toBe('token-signature');
  });

  test('also where the public key is the secret of a MAC', () => {
    const { publicKey } = signingKeys['ML-DSA'];
    const input = `${encode(JSON.stringify({ ...goodHeader('ML-DSA'), alg: 'HS256' }))}.${encode(JSON.stringify(goodClaims))}`;
    const mac = createHmac('sha256', publicKey.export({ format: 'der', type: 'spki' }))
      .update(input)
      .digest();
    expect(judge(`${input}.${encode(mac)}`)).toBe('token-algorithm');
  });

  test('of P-256 in the form of JOSE, not in DER', () => {
    const [h, c, s] = partsOf(mint('JWT-SVID').token);
    expect(Buffer.from(s, 'base64url')).toHaveLength(64);
    const raw = Buffer.from(s, 'base64url');
    const integer = (bytes: Buffer) => Buffer.concat([Buffer.from([2, 33, 0]), bytes]);
    const content = Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))]);
    const der = Buffer.concat([Buffer.from([0x30, content.length]), content]);
    expect(judge(`${h}.${c}.${encode(der)}`)).toBe('token-signature');
  });
});

describe('a header', () => {
  test.each<[string, Record<string, unknown>]>([
    ['JWT', { typ: 'JWT' }],
    ['JOSE', { typ: 'JOSE' }],
    ['no type', { typ: undefined }],
  ])('may say %s', (_, header) => {
    expect(judge(forgeToken({ header }))).toBe('good ML-DSA');
  });

  const own = JSON.stringify(goodHeader('ML-DSA'));
  test.each<[string, Record<string, unknown> | string]>([
    ['another type', { typ: 'at+jwt' }],
    ['a type in another spelling', { typ: 'jwt' }],
    ['a type that is no string', { typ: ['JWT'] }],
    ['no algorithm', { alg: undefined }],
    ['an algorithm that is no string', { alg: ['ML-DSA-65'] }],
    ['no key id', { kid: undefined }],
    ['a key id that is no string', { kid: 1 }],
    ['what must be understood', { crit: ['exp'], exp: 1 }],
    ['that nothing must be understood', { crit: [] }],
    ['an unencoded payload', { b64: false }],
    ['a key of its own', { jwk: {} }],
    ['where its key is', { jku: 'https://elsewhere.example/keys' }],
    ['a certificate', { x5c: [] }],
    ['anything else', { foo: 1 }],
    ['the algorithm twice', own.replace('{', '{"alg":"none",')],
    ['the algorithm twice, in two spellings', own.replace('{', '{"\\u0061lg":"none",')],
    ['an array', '[]'],
    ['a string', '"alg"'],
    ['null', 'null'],
    ['nothing', ' '],
    ['two objects', `${own}${own}`],
    ['something after the object', `${own}x`],
    ['a byte order mark', `\uFEFF${own}`],
    ['more than there is to say', own.replace('{', `{${' '.repeat(1000)}`)],
  ])('may not say %s', (_, header) => {
    expect(judge(forgeToken({ header }))).toBe('token-malformed');
  });
});

describe('claims', () => {
  const iat = seconds(now);
  const failures: [string, Record<string, unknown> | string, string][] = [
    ['without an expiry', { exp: undefined }, 'token-lifetime'],
    ['without a time of issue', { iat: undefined }, 'token-lifetime'],
    ['that last a second too long', { exp: iat + 301 }, 'token-lifetime'],
    ['that last for ever', { exp: 8_640_000_000_000 }, 'token-lifetime'],
    ['whose expiry is beyond all time', { exp: 1e300 }, 'token-lifetime'],
    ['whose expiry is a string', { exp: String(iat + 300) }, 'token-lifetime'],
    ['whose expiry is null', { exp: null }, 'token-lifetime'],
    ['with a part of a second', { exp: iat + 299.5 }, 'token-lifetime'],
    ['that expire when they are issued', { exp: iat }, 'token-lifetime'],
    ['that expire before they are issued', { exp: iat - 1 }, 'token-lifetime'],
    ['issued before all time', { iat: -1, exp: 299 }, 'token-lifetime'],
    ['issued before a clock can be wrong', { iat: iat + 61, exp: iat + 300 }, 'token-not-yet-valid'],
    [
      'issued before a clock can be wrong, to be used already',
      { iat: iat + 61, exp: iat + 300, nbf: iat },
      'token-not-yet-valid',
    ],
    ['not to be used yet', { nbf: iat + 61 }, 'token-not-yet-valid'],
    ['not to be used before something that is no time', { nbf: 'tomorrow' }, 'token-malformed'],
    ['without an audience', { aud: undefined }, 'token-audience'],
    ['for nobody', { aud: [] }, 'token-audience'],
    ['for the empty name', { aud: '' }, 'token-audience'],
    ['for two', { aud: [audience, 'another'] }, 'token-audience'],
    ['for the same one twice', { aud: [audience, audience] }, 'token-audience'],
    ['for something that is no string', { aud: 7 }, 'token-audience'],
    ['for an array of arrays', { aud: [[audience]] }, 'token-audience'],
    ['for a name longer than any', { aud: 'a'.repeat(2049) }, 'token-audience'],
    ['without a subject', { sub: undefined }, 'token-subject'],
    ['of another trust domain', { sub: 'spiffe://other.example/ns/shop/sa/client' }, 'token-subject'],
    ['of one that begins like it', { sub: 'spiffe://mesh.example.evil/ns/shop/sa/client' }, 'token-subject'],
    ['of the trust domain itself', { sub: 'spiffe://mesh.example' }, 'token-subject'],
    ['of another spelling', { sub: 'SPIFFE://mesh.example/ns/shop/sa/client' }, 'token-subject'],
    ['of a name that is no SPIFFE ID', { sub: 'client' }, 'token-subject'],
    ['of several', { sub: [subject] }, 'token-subject'],
    ['that are no object', '[]', 'token-malformed'],
    ['that are null', 'null', 'token-malformed'],
    ['that are no JSON', '{', 'token-malformed'],
    [
      'with a member twice',
      JSON.stringify(goodClaims).replace('{', `{"sub":"${subject}",`),
      'token-malformed',
    ],
    [
      'with a member twice, further down',
      JSON.stringify(goodClaims).replace('{', '{"x":[{"a":1,"b":{"a":1},"a":2}],'),
      'token-malformed',
    ],
  ];
  test.each(failures)('%s are refused', (_, claims, failure) => {
    expect(judge(forgeToken({ claims }))).toBe(failure);
  });

  test.each<[string, Record<string, unknown> | string]>([
    ['for one audience that is not in an array', { aud: audience }],
    ['with others beside them', { jti: '1', groups: ['a', 'b'], nested: { sub: 'x', aud: 'y' } }],
    ['to be used from now on', { nbf: iat }],
    ['to be used by clocks a minute ahead', { nbf: iat + 60 }],
    ['for a shorter life', { exp: iat + 1 }],
    ['with white space', JSON.stringify(goodClaims, undefined, 2)],
    [
      'with names that only look like members',
      JSON.stringify({ ...goodClaims, x: '{"sub":1}', y: ['sub', ':'] }),
    ],
  ])('%s are accepted', (_, claims) => {
    expect(judge(forgeToken({ claims }))).toBe('good ML-DSA');
  });

  test('are UTF-8', () => {
    const named = JSON.stringify({ ...goodClaims, name: 'Bücher' });
    expect(judge(forgeToken({ claims: Buffer.from(named) }))).toBe('good ML-DSA');
    expect(judge(forgeToken({ claims: Buffer.from(named, 'latin1') }))).toBe('token-malformed');
  });

  test('are all handed on, as they were signed', () => {
    const verdict = verifyToken(forgeToken({ claims: { groups: ['a'] } }), keys, { trustDomain, now });
    expect(verdict).toMatchObject({ claims: { ...goodClaims, groups: ['a'] } });
  });

  test('are not looked at before the signature', () => {
    const key = generateSigningKey('ML-DSA-65');
    expect(judge(forgeToken({ key, claims: { exp: iat - 1000 } }))).toBe('token-signature');
  });
});

describe('a token longer than any', () => {
  test('is malformed, although it is signed', () => {
    const fits = (filler: number) => forgeToken({ claims: { filler: 'x'.repeat(filler) } });
    const room = maxTokenChars - fits(0).length;
    // Three bytes become four characters.
    expect(judge(fits(Math.floor((room * 3) / 4) - 3))).toBe('good ML-DSA');
    expect(judge(fits(Math.ceil((room * 3) / 4) + 3))).toBe('token-malformed');
  });

  test('is not minted: the longest subject and audience fit', () => {
    const spiffeId = `spiffe://${trustDomain}/`.padEnd(2048, 'a');
    // Three bytes each in UTF-8, and in JSON as they are.
    expect(judge(mint('ML-DSA', { spiffeId, audience: '\u20ac'.repeat(2048) }).token)).toBe('good ML-DSA');
  });
});

test('during a rotation, tokens of the old key and of the new one are good', () => {
  const next = newSigningKeys();
  const keysOf = (set: string): unknown[] => (JSON.parse(set) as { keys: unknown[] }).keys;
  const both = (set: 'workloadTokens' | 'jwtSvids') =>
    JSON.stringify({ keys: [...keysOf(jwks[set]), ...keysOf(tokenJwksOf(next)[set])] });
  const rotating = tokenKeysFromJwks({ workloadTokens: both('workloadTokens'), jwtSvids: both('jwtSvids') });
  for (const issuer of [createTokenIssuer(trustDomain, next), createTokenIssuer(trustDomain, signingKeys)]) {
    for (const type of tokenTypes) {
      const { token } = issuer.mint({ type, spiffeId: subject, audience, now });
      expect(verifyToken(token, rotating, { trustDomain, now })).toMatchObject({ type });
    }
  }
});
