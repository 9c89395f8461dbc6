// Trying again: how often, and after which pause.

import { RegistryError } from '../errors.ts';

export interface RetryRules {
  /** The first attempt included. */
  readonly maxAttempts: number;
  readonly maxPauseMs: number;
  readonly now: () => Date;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly sleep: Sleep;
}

/** Rejects with the signal's reason when that is aborted. */
export type Sleep = (ms: number, signal?: AbortSignal) => Promise<void>;

const firstPauseMs = 250;

/** What the server may get over: it is busy, or something behind it is away (RFC 9110 §15.6, RFC 6585 §4). */
export function isTransient(status: number): boolean {
  return [408, 429, 500, 502, 503, 504].includes(status);
}

/** An attempt that failed for now; `retryAfter` is the header of that name. */
export class Transient {
  readonly error: RegistryError;
  readonly retryAfter: string | undefined;

  constructor(error: RegistryError, retryAfter?: string) {
    this.error = error;
    this.retryAfter = retryAfter;
  }
}

/** The first attempt that does not end in `Transient`; the last one's error when all do. */
export async function withRetries<T>(
  rules: RetryRules,
  attempt: () => Promise<T | Transient>,
  signal?: AbortSignal,
): Promise<T> {
  for (let failed = 0; ; ) {
    const result = await attempt();
    if (!(result instanceof Transient)) return result;
    failed += 1;
    const pause = pauseMs(rules, failed, result.retryAfter);
    if (failed >= rules.maxAttempts) throw result.error;
    if (pause > rules.maxPauseMs) throw tooLong(result.error, pause);
    await rules.sleep(pause, signal);
  }
}

/** Doubling, and at random, so that many clients do not come back as one; longer when the server asks for it. */
function pauseMs(rules: RetryRules, failed: number, retryAfter: string | undefined): number {
  const ceiling = Math.min(firstPauseMs * 2 ** (failed - 1), rules.maxPauseMs);
  const own = ceiling / 2 + (ceiling / 2) * rules.random();
  return Math.max(own, parseRetryAfter(retryAfter ?? '', rules.now()));
}

/** Milliseconds (RFC 9110 §10.2.3: seconds, or an HTTP date); 0 when it is neither. */
function parseRetryAfter(text: string, now: Date): number {
  if (/^\d{1,10}$/.test(text)) return Number(text) * 1000;
  const date = /^[A-Z][a-z]+, /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? 0 : date - now.getTime();
}

function tooLong(error: RegistryError, pause: number): RegistryError {
  const seconds = Math.ceil(pause / 1000);
  return new RegistryError(error.code, `${error.message}; it asks to come back in ${seconds} s`, {
    ...(error.status !== undefined && { status: error.status }),
    cause: error,
  });
}
