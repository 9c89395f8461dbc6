// What is asked for often and changes seldom: asked for once by all who want it at the same time, and kept for a while.

import { LRUCache } from 'lru-cache';
import { createShare } from './shared-attempt.ts';

export interface RememberOptions<T> {
  /** Milliseconds. */
  readonly lifeMs: number;
  /** All together, by `bytesOf`. */
  readonly maxBytes: number;
  /** A whole number above 0. */
  readonly bytesOf: (value: T) => number;
  readonly now: () => Date;
}

export interface Remembered<T> {
  /** What is known by that key, or what `ask` finds out. A failure is not remembered. */
  (key: string, signal: AbortSignal, ask: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** What is known by that key. */
  known(key: string): T | undefined;
}

interface Kept<T> {
  readonly value: T;
  /** When it was asked for, which is before it was answered. */
  readonly askedAt: number;
}

export function createRemembered<T>({ lifeMs, maxBytes, bytesOf, now }: RememberOptions<T>): Remembered<T> {
  const share = createShare<T>();
  const kept = new LRUCache<string, Kept<T>>({
    maxSize: maxBytes,
    sizeCalculation: ({ value }, key) => bytesOf(value) + key.length,
  });
  const knownBy = (key: string): Kept<T> | undefined => {
    const found = kept.get(key);
    return found !== undefined && isYoung(found.askedAt, lifeMs, now()) ? found : undefined;
  };
  const remembered = async (key: string, signal: AbortSignal, ask: (signal: AbortSignal) => Promise<T>) => {
    const known = knownBy(key);
    if (known !== undefined) return known.value;
    return await share(key, signal, async (shared) => {
      const askedAt = now().getTime();
      const value = await ask(shared);
      kept.set(key, { value, askedAt });
      return value;
    });
  };
  return Object.assign(remembered, { known: (key: string) => knownBy(key)?.value });
}

/** What was learned in the future, by a clock that has been set back, is not. */
export function isYoung(since: number, lifeMs: number, now: Date): boolean {
  const age = now.getTime() - since;
  return age >= 0 && age < lifeMs;
}
