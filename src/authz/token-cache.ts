// Verified tokens, remembered: an ML-DSA signature takes 150 µs to verify and a client sends the same token for minutes.

import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { clockSkewMs } from '../identity/lifetimes.ts';
import type { TokenKeys } from '../identity/tokens/token-keys.ts';
import { maxTokenChars } from '../identity/tokens/types.ts';
import { type VerifiedToken, verifyToken } from '../identity/tokens/verify.ts';
import type { TokenFailure } from '../policy/authorize/decision.ts';

/** Callers with a token of their own at once, several times over. */
const maxRemembered = 2048;

interface Remembered {
  readonly token: VerifiedToken;
  /** Milliseconds. */
  readonly verifiedAt: number;
}

export interface TokenCacheOptions {
  /** A new object whenever a key changes; undefined: none have been received. */
  readonly tokenKeys: () => TokenKeys | undefined;
  readonly trustDomain: string;
}

export class TokenCache {
  readonly #options: TokenCacheOptions;
  readonly #verified = new LRUCache<string, Remembered>({ max: maxRemembered });
  #keys: TokenKeys | undefined;

  constructor(options: TokenCacheOptions) {
    this.#options = options;
  }

  /** Verifies a token as verifyToken does. What is remembered of it is the signature: its times are looked at each time. */
  verify(token: string, now: Date): VerifiedToken | TokenFailure {
    const { tokenKeys, trustDomain } = this.#options;
    const keys = tokenKeys();
    if (keys !== this.#keys) {
      this.#verified.clear();
      this.#keys = keys;
    }
    if (keys === undefined) return 'token-unknown-key';
    // Before the time to hash it is spent.
    if (token.length > maxTokenChars) return 'token-malformed';
    // By hash, so that a memory dump holds no tokens that somebody could still use.
    const key = hash('sha256', token, 'base64');
    const known = this.#verified.get(key);
    // Outside of these times, of which one may be due to a clock that was set back, the verdict is made anew.
    if (
      known !== undefined &&
      known.verifiedAt <= now.getTime() &&
      now.getTime() < known.token.expiresAt.getTime() + clockSkewMs
    ) {
      return known.token;
    }
    const verdict = verifyToken(token, keys, { trustDomain, now });
    if (typeof verdict !== 'string') this.#verified.set(key, { token: verdict, verifiedAt: now.getTime() });
    return verdict;
  }
}
