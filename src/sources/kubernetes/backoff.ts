// How long to wait before asking an API server again.

import type { Limits } from './limits.ts';

/**
 * Exponential, half of it left to chance, so that after an outage not everything comes back in the same moment; and never
 * sooner than the server asked for.
 * @param attempt 0 for the first retry
 * @param random in [0, 1)
 */
export function retryDelayMs(
  attempt: number,
  retryAfterMs: number | undefined,
  random: () => number,
  limits: Pick<Limits, 'firstRetryMs' | 'maxRetryMs' | 'maxRetryAfterMs'>,
): number {
  const ceiling = Math.min(limits.maxRetryMs, limits.firstRetryMs * 2 ** attempt);
  const own = Math.ceil(ceiling * (0.5 + random() / 2));
  const asked = Math.min(retryAfterMs ?? 0, limits.maxRetryAfterMs);
  // Everybody was told the same time.
  return asked > own ? Math.ceil(asked + own * random()) : own;
}
