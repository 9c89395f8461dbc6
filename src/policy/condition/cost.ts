// What evaluating costs at worst, in the units of limits.ts.

import { type Amount, type Measure, plus, totalOver } from './amount.ts';

export interface Cost {
  /** Without regular expressions. */
  readonly steps: Amount;
  /** Of regular expressions, whose work is counted again as they run. */
  readonly matching: Amount;
}

export function stepCost(steps: Amount): Cost {
  return { steps, matching: 0 };
}

export function sumOf(costs: readonly Cost[]): Cost {
  let steps: Amount = 0;
  let matching: Amount = 0;
  for (const cost of costs) {
    steps = plus(steps, cost.steps);
    matching = plus(matching, cost.matching);
  }
  return { steps, matching };
}

/** A cost for each of `count` elements; `own` are the measures of an element. */
export function costOfAll(count: Amount, { steps, matching }: Cost, own: readonly Measure[]): Cost {
  return { steps: totalOver(count, steps, own), matching: totalOver(count, matching, own) };
}
