// How long to wait before trying again.

const firstMs = 100;
const maxMs = 2_000;

/**
 * Exponential, with half of it left to chance: after a control plane comes back, its agents do not all return in the same moment.
 * @param attempt 0 for the first retry
 * @param random in [0, 1)
 * @returns milliseconds
 */
export function backoffMs(attempt: number, random: () => number): number {
  const ceiling = Math.min(maxMs, firstMs * 2 ** attempt);
  return Math.ceil(ceiling * (0.5 + random() / 2));
}
