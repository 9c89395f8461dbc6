// Waiting for something that happens elsewhere. How long it takes is never what a test is about.

import { setTimeout as sleep } from 'node:timers/promises';

/** For a machine in trouble; what tests wait for takes milliseconds. */
const patienceMs = 30_000;
const intervalMs = 10;

type Seen<T> = T | undefined | false | null;

/** Looks until there is something to see, and returns it. A look that throws has seen nothing. */
export async function until<T>(
  what: string,
  look: () => Seen<T> | Promise<Seen<T>>,
  patience = patienceMs,
): Promise<T> {
  const deadline = performance.now() + patience;
  let problem: unknown = 'nothing to see';
  for (;;) {
    try {
      const seen = await look();
      if (seen !== undefined && seen !== false && seen !== null) return seen;
    } catch (error) {
      problem = error;
    }
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}: ${String(problem)}`);
    await sleep(intervalMs);
  }
}
