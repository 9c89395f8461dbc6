import { setTimeout as timeout } from 'node:timers/promises';

/** Time as it comes in, so that tests can be its masters. */
export interface Clock {
  /** May jump. */
  readonly now: () => Date;
  /** Milliseconds that only go forward. */
  readonly monotonic: () => number;
  /** Resolves after so many milliseconds, or as soon as `signal` is aborted; never rejects. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

export const systemClock: Clock = {
  now: () => new Date(),
  monotonic: () => performance.now(),
  sleep: async (ms, signal) => {
    try {
      await timeout(ms, undefined, { signal });
    } catch {
      // Aborted: whoever sleeps looks at the signal.
    }
  },
};
