import { describe, expect, test } from 'vitest';
import { CryptoError } from '../../../../src/crypto/errors.ts';
import { IdentityError } from '../../../../src/identity/errors.ts';
import { maxTokenLifetimeMs } from '../../../../src/identity/lifetimes.ts';
import { maxAudienceChars, tokenTypes } from '../../../../src/identity/tokens/types.ts';
import { at, now } from '../support/storage.ts';
import { goodClaims, goodHeader, judge, mint, subject } from './support.ts';

const parse = (part: string | undefined): unknown =>
  JSON.parse(Buffer.from(part ?? '', 'base64url').toString());

describe.each(tokenTypes)('a minted %s token', (type) => {
  const { token, expiresAt } = mint(type);
  const [header, claims] = token.split('.');

  test('says whom it is for, to whom it is shown, and for how long it is good', () => {
    expect(parse(header)).toEqual(goodHeader(type));
    expect(parse(claims)).toEqual(goodClaims);
    expect(expiresAt).toEqual(at(maxTokenLifetimeMs));
  });

  test('fits into a header', () => {
    expect(token.length).toBeLessThan(type === 'ML-DSA' ? 5000 : 500);
  });

  test('has whole seconds and never lives longer than it may', () => {
    const late = mint(type, { now: at(999) });
    expect(parse(late.token.split('.')[1])).toEqual(goodClaims);
    expect(late.expiresAt).toEqual(at(maxTokenLifetimeMs));
    expect(judge(late.token, at(999))).toBe(`good ${type}`);
  });

  test('is another one each time it is signed', () => {
    expect(mint(type).token).not.toBe(token);
  });
});

function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('nothing is minted', () => {
  test.each([
    ['nobody', ''],
    ['a control character', 'server\n'],
    ['a zero byte', 'server\0'],
    ['a delete character', 'server\u007f'],
    ['a control character beyond ASCII', 'server\u0085'],
    ['half of a character', 'server\ud83d'],
    ['a name longer than any', 'a'.repeat(maxAudienceChars + 1)],
  ])('for the audience of %s', (_, audience) => {
    const error = thrownBy(() => mint('ML-DSA', { audience }));
    expect(error).toBeInstanceOf(IdentityError);
    expect(error).toMatchObject({ code: 'ERR_TOKEN_AUDIENCE' });
  });

  test.each([
    ['another trust domain', 'spiffe://other.example/ns/shop/sa/client'],
    ['the trust domain itself', 'spiffe://mesh.example'],
  ])('for a subject of %s', (_, spiffeId) => {
    const error = thrownBy(() => mint('ML-DSA', { spiffeId }));
    expect(error).toBeInstanceOf(IdentityError);
    expect(error).toMatchObject({ code: 'ERR_SVID_ID_NOT_ALLOWED' });
  });

  test('for a subject that is no SPIFFE ID', () => {
    expect(thrownBy(() => mint('ML-DSA', { spiffeId: 'client' }))).toBeInstanceOf(CryptoError);
  });
});

test.each(['a', 'https://api.example/?a=1&b="c"', 'Bücher \u{1f4da}', 'a'.repeat(maxAudienceChars)])(
  'an audience is what it is: %j',
  (audience) => {
    const { token } = mint('JWT-SVID', { audience });
    expect(parse(token.split('.')[1])).toMatchObject({ sub: subject, aud: [audience] });
    expect(judge(token, now)).toBe('good JWT-SVID');
  },
);
