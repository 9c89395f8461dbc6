// Keeps one SVID fresh: obtains it, waits until it is time, obtains the next.

import { setTimeout as setTimer } from 'node:timers/promises';
import { minRenewalIntervalMs, nextRenewal, nextRetry } from '../identity/renewal.ts';
import { backoffMs } from './backoff.ts';
import type { HeldSvid } from './identity-client.ts';

export interface KeepFreshOptions {
  /** The first one, when there is one already. */
  readonly initial: HeldSvid | undefined;
  readonly obtain: () => Promise<HeldSvid>;
  /** Takes a new SVID into use; nothing is renewed before it resolves. */
  readonly accept: (svid: HeldSvid) => Promise<void>;
  readonly onFailure: (error: unknown) => void;
  readonly now: () => Date;
  readonly random: () => number;
  readonly signal: AbortSignal;
  /** Resolves after `ms`, or when the agent stops. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

async function realSleep(ms: number, signal: AbortSignal): Promise<void> {
  await setTimer(ms, undefined, { signal }).catch(() => {});
}

/** Runs until the agent stops. A failure is reported and tried again: the SVID in use stays until there is a better one. */
export async function keepFresh(options: KeepFreshOptions): Promise<void> {
  const { signal, now, random, sleep = realSleep } = options;
  let current = options.initial;
  let failures = 0;
  while (!signal.aborted) {
    const wait = waitMs(current, failures, now(), random);
    await sleep(wait, signal);
    if (signal.aborted) return;
    try {
      const next = await options.obtain();
      await options.accept(next);
      current = next;
      failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      failures++;
      options.onFailure(error);
    }
  }
}

function waitMs(current: HeldSvid | undefined, failures: number, now: Date, random: () => number): number {
  if (current === undefined) return failures === 0 ? 0 : backoffMs(failures, random);
  const { notAfter } = current.leaf;
  const next =
    failures === 0
      ? nextRenewal({ issuedAt: now, notAfter, random })
      : nextRetry({ now, notAfter, failures, random });
  const wait = next.getTime() - now.getTime();
  return failures === 0 ? Math.max(wait, minRenewalIntervalMs) : wait;
}
