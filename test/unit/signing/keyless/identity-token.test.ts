// What is said about an identity token before it is used, and what is never said: the token.

import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { type IdentityToken, readIdentityToken } from '../../../../src/signing/keyless/identity-token.ts';
import { identityToken } from '../../../support/sigstore.ts';

const now = new Date();
const seconds = Math.floor(now.getTime() / 1000);

function read(text: string): IdentityToken {
  return readIdentityToken(text, { audience: 'sigstore', now, source: 'SIGSTORE_ID_TOKEN' });
}

function message(text: string): string {
  try {
    read(text);
  } catch (error) {
    expect(error).toMatchObject({ name: 'SigningError', code: 'ERR_IDENTITY_TOKEN' });
    const said = inspect(error, { depth: Number.POSITIVE_INFINITY });
    for (const part of text.trim().split('.')) if (part.length > 8) expect(said).not.toContain(part);
    return (error as Error).message;
  }
  throw new Error('the token was accepted');
}

describe('a token', () => {
  test('is read, and shows what it says but not itself', () => {
    const text = identityToken({ exp: seconds + 600 });
    const token = read(`${text}\n`);
    expect(token.reveal()).toBe(text);
    expect(token.issuer).toBe('https://token.ci.example');
    expect(token.subject).toBe('https://ci.example/trading/orders/.pipeline@refs/heads/main');
    expect(token.expiresAt).toEqual(new Date((seconds + 600) * 1000));
    for (const shown of [inspect(token, { showHidden: true }), JSON.stringify(token), String(token)])
      expect(shown).not.toContain(text.slice(0, 20));
  });

  test('may be for several audiences, this one among them', () => {
    expect(read(identityToken({ aud: ['other', 'sigstore'] })).issuer).toBeTypeOf('string');
  });

  test('stands for its verified e-mail address, where it has one', () => {
    const claims = { email: 'ci@example.com', sub: '1234' };
    expect(read(identityToken({ ...claims, email_verified: true })).subject).toBe('ci@example.com');
    expect(message(identityToken({ ...claims, email_verified: false }))).toMatch(/not verified/);
    expect(message(identityToken(claims))).toMatch(/email_verified/);
  });

  test('may be from a clock a little ahead', () => {
    expect(read(identityToken({ nbf: seconds + 30 })).issuer).toBeTypeOf('string');
  });
});

describe('a token is refused, with what to do', () => {
  test.each([
    ['expired', { exp: seconds - 1 }, /expired, or is about to .*get a fresh one/],
    ['about to expire', { exp: seconds + 9 }, /expired, or is about to/],
    ['without an end', { exp: undefined }, /claim exp/],
    ['with an end that is no number', { exp: 'tomorrow' }, /claim exp/],
    ['with an end beyond all dates', { exp: 1e300 }, /expired.*no date/],
    ['not valid yet', { nbf: seconds + 120 }, /not valid before .*clock/],
    ['for another audience', { aud: 'https://github.com/acme' }, /not meant for "sigstore" .*id_tokens/],
    ['for other audiences', { aud: ['a', 'b'] }, /claim aud/],
    ['for no audience', { aud: undefined }, /claim aud/],
    ['for an audience that only contains the right one', { aud: 'sigstore-staging' }, /claim aud/],
    ['without an issuer', { iss: undefined }, /claim iss/],
    ['without a subject', { sub: undefined }, /claim sub/],
    ['with an empty subject', { sub: '' }, /claim sub/],
  ])('%s', (_name, claims, reason) => {
    expect(message(identityToken(claims))).toMatch(reason);
  });

  test.each([
    ['nothing', ''],
    ['one part', 'secret-secret-secret'],
    ['parts that are not base64url', 'sec/ret+.sec/ret+.sec/ret+'],
    ['claims that are no JSON', `e30.${Buffer.from('secret secret secret').toString('base64url')}.c2ln`],
    ['claims that are no object', `e30.${Buffer.from('["secretsecret"]').toString('base64url')}.c2ln`],
    ['a claim twice', `e30.${Buffer.from('{"aud":"a","aud":"sigstore"}').toString('base64url')}.c2ln`],
    ['too much', `e30.${'a'.repeat(17 * 1024)}.c2ln`],
  ])('%s', (_name, text) => {
    expect(message(text)).toMatch(/the identity token from SIGSTORE_ID_TOKEN is (not|longer)/);
  });
});
