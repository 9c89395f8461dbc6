// Waiting for something that happens outside.

import { setTimeout as sleep } from 'node:timers/promises';

export interface Wait {
  /** What is waited for, for the message: `envoy gateway to be ready`. */
  readonly what: string;
  readonly timeoutMs: number;
  /** Pause between two looks. */
  readonly everyMs?: number;
  readonly signal: AbortSignal;
}

const defaultIntervalMs = 20;

/** Looks until there is something to see. A look that throws has seen nothing. @throws Error when the time is over, or the demo is stopped */
export async function waitFor<T>(wait: Wait, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const { what, timeoutMs, everyMs = defaultIntervalMs, signal } = wait;
  const deadline = performance.now() + timeoutMs;
  let problem = '';
  for (;;) {
    signal.throwIfAborted();
    try {
      const seen = await look();
      if (seen !== undefined) return seen;
    } catch (error) {
      problem = `: ${error instanceof Error ? error.message : String(error)}`;
    }
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}${problem}`);
    await sleep(everyMs, undefined, { signal });
  }
}
