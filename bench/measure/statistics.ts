// Numbers of several rounds, made into one.

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** @throws RangeError without values */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const low = sorted[Math.floor(middle)];
  const high = sorted[Math.ceil(middle)];
  const min = sorted[0];
  const max = sorted.at(-1);
  if (low === undefined || high === undefined || min === undefined || max === undefined)
    throw new RangeError('there is no median of no values');
  return { median: (low + high) / 2, min, max };
}

/**
 * How ours compares with the peer's: the median of the ratios of each round. What slows the machine down for a while slows
 * both of a round.
 */
export function pairedRatio(ours: readonly number[], peer: readonly number[]): number {
  if (ours.length !== peer.length) throw new RangeError('ours and the peer have not run the same rounds');
  return spread(ours.map((value, round) => value / (peer[round] ?? Number.NaN))).median;
}

/** The smallest value that is not below this share of all values. @throws RangeError without values */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.max(Math.ceil(share * sorted.length) - 1, 0)];
  if (value === undefined) throw new RangeError('there is no quantile of no values');
  return value;
}
