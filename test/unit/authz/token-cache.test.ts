import { describe, expect, test } from 'vitest';
import { TokenCache } from '../../../src/authz/token-cache.ts';
import type { TokenKeys } from '../../../src/identity/tokens/token-keys.ts';
import { now } from '../identity/support/storage.ts';
import { keys, mint, trustDomain } from '../identity/tokens/support.ts';

const later = (ms: number): Date => new Date(now.getTime() + ms);
const minute = 60_000;

describe('a token that was verified', () => {
  const { token } = mint('ML-DSA');

  test('is good until it ends, and no longer', () => {
    const cache = new TokenCache({ tokenKeys: () => keys, trustDomain });
    const first = cache.verify(token, now);
    expect(first).toMatchObject({ type: 'ML-DSA' });
    expect(cache.verify(token, later(minute))).toBe(first);
    expect(cache.verify(token, later(60 * minute))).toBe('token-expired');
    expect(cache.verify(token, later(minute))).toBe(first);
  });

  test('is not good when the clock was set back to before it began', () => {
    const cache = new TokenCache({ tokenKeys: () => keys, trustDomain });
    cache.verify(token, now);
    expect(cache.verify(token, later(-60 * minute))).toBe('token-not-yet-valid');
  });

  test('is not good once its key is gone', () => {
    let present: TokenKeys | undefined = keys;
    const cache = new TokenCache({ tokenKeys: () => present, trustDomain });
    expect(cache.verify(token, now)).toMatchObject({ type: 'ML-DSA' });
    present = { byKid: new Map() };
    expect(cache.verify(token, now)).toBe('token-unknown-key');
    present = undefined;
    expect(cache.verify(token, now)).toBe('token-unknown-key');
  });

  test('says nothing about another', () => {
    const cache = new TokenCache({ tokenKeys: () => keys, trustDomain });
    cache.verify(token, now);
    const changed = `${token.slice(0, -10)}${token.at(-10) === 'A' ? 'B' : 'A'}${token.slice(-9)}`;
    expect(cache.verify(changed, now)).toBe('token-signature');
    expect(cache.verify(`${token}.`, now)).toBe('token-malformed');
  });
});
