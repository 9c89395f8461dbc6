// What evaluating costs at worst, in the units of limits.ts.

export interface Cost {
  /** Without regular expressions. */
  readonly steps: number;
  /** Of regular expressions, whose work is counted again as they run. */
  readonly matching: number;
}

export function stepCost(steps: number): Cost {
  return { steps, matching: 0 };
}

export function sumOf(costs: readonly Cost[]): Cost {
  let steps = 0;
  let matching = 0;
  for (const cost of costs) {
    steps += cost.steps;
    matching += cost.matching;
  }
  return { steps, matching };
}

export function timesCost(count: number, { steps, matching }: Cost): Cost {
  return { steps: count * steps, matching: count * matching };
}
