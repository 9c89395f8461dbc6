// When to renew an SVID: at half of its life, spread by chance so that identities issued together are not renewed
// together. Pure functions of time and chance.

/** Of the whole life. */
const renewalShare = 0.5;
/** Either side of half life, as a share of the whole life. */
const jitterShare = 0.1;
/** The last part of an SVID's life is for retries, not for plans: a minute, or a fifth of shorter lives. */
const safetyMarginMs = 60_000;
const safetyMarginShare = 0.2;

/** However short a life is left, as on a clock that is ahead: renewing must not become all that CA and agents do. */
export const minRenewalIntervalMs = 1000;

const firstRetryMs = 500;
const maxRetryMs = 30_000;

export interface RenewalInput {
  readonly issuedAt: Date;
  readonly notAfter: Date;
  /** In [0, 1). */
  readonly random: () => number;
}

/** When to renew an SVID that was just obtained; never before it was, and never inside its safety margin. */
export function nextRenewal({ issuedAt, notAfter, random }: RenewalInput): Date {
  const life = Math.max(0, notAfter.getTime() - issuedAt.getTime());
  const share = renewalShare + (2 * random() - 1) * jitterShare;
  const margin = Math.min(safetyMarginMs, life * safetyMarginShare);
  return new Date(issuedAt.getTime() + Math.min(life * share, life - margin));
}

/** What an SVID has left of its life, at the least, when it is renewed in time: how long a connection made with it may last. */
export function shortestUse(lifetimeMs: number): number {
  return lifetimeMs * (1 - renewalShare - jitterShare);
}

export interface RetryInput {
  readonly now: Date;
  readonly notAfter: Date;
  /** Failed attempts in a row, at least 1. */
  readonly failures: number;
  /** In [0, 1). */
  readonly random: () => number;
}

/**
 * When to try again after a failed renewal: exponential, half of it left to chance. An attempt always falls before the
 * safety margin while that lies ahead, however many failed before.
 */
export function nextRetry({ now, notAfter, failures, random }: RetryInput): Date {
  const ceiling = Math.min(maxRetryMs, firstRetryMs * 2 ** (failures - 1));
  const wait = ceiling * (0.5 + random() / 2);
  const untilMargin = notAfter.getTime() - safetyMarginMs - now.getTime();
  return new Date(now.getTime() + (untilMargin > 0 ? Math.min(wait, untilMargin) : wait));
}
