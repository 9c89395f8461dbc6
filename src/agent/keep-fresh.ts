// Keeps one SVID fresh: obtains it, waits until it is time, obtains the next.

import { setTimeout as sleep } from 'node:timers/promises';
import { nextRenewal, nextRetry } from '../identity/renewal.ts';
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
}

/** Runs until the agent stops. A failure is reported and tried again: the SVID in use stays until there is a better one. */
export async function keepFresh(options: KeepFreshOptions): Promise<void> {
  const { signal, now, random } = options;
  let current = options.initial;
  let failures = 0;
  while (!signal.aborted) {
    const wait = waitMs(current, failures, now(), random);
    await sleep(wait, undefined, { signal }).catch(() => {});
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
  return next.getTime() - now.getTime();
}
