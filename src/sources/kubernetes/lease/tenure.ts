// How long a leader may believe that it leads.

import type { Clock } from '../clock.ts';

/** A moment on both clocks. */
export interface Moment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

export function momentOf(clock: Clock): Moment {
  return { monotonicMs: clock.monotonic(), wallMs: clock.now().getTime() };
}

/**
 * Whether a tenure that was last confirmed by a request sent at `since` still holds at `now`. It is over when either clock says
 * so: the monotonic one cannot be set, but stands still while a machine sleeps; the other goes on. Stopping too early
 * costs nothing.
 */
export function holds(since: Moment | undefined, now: Moment, renewDeadlineMs: number): boolean {
  if (since === undefined) return false;
  return now.monotonicMs - since.monotonicMs < renewDeadlineMs && now.wallMs - since.wallMs < renewDeadlineMs;
}
