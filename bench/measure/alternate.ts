// Contestants take turns within a round, because other work on the machine comes and goes.

const turns = 4;

/**
 * Lets each contestant work several times, one after the other, a part of its work each time.
 * @param run does that part of a contestant's work, given as a divisor, and says what an operation cost
 * @returns what an operation cost each contestant on average, in their order
 */
export async function alternate<Contestant>(
  contestants: readonly Contestant[],
  run: (contestant: Contestant, parts: number) => Promise<number>,
): Promise<readonly number[]> {
  const sums = contestants.map(() => 0);
  for (let turn = 0; turn < turns; turn++) {
    for (const [index, contestant] of contestants.entries())
      sums[index] = (sums[index] ?? 0) + (await run(contestant, turns));
  }
  return sums.map((sum) => sum / turns);
}
