// Many questions at once, and what came of them.

import { onEnd } from '../cleanup.ts';

/** Asks number 0, 1, … up to `count`, so many at a time. Rejects when one does. */
export async function askAll(
  count: number,
  parallel: number,
  ask: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) await ask(next++);
  };
  await Promise.all(Array.from({ length: parallel }, work));
}

/** Everything, so many at a time; results in the order of what they are of. */
export async function inParallel<T, R>(
  parallel: number,
  all: readonly T[],
  run: (each: T) => Promise<R>,
): Promise<R[]> {
  const results = new Map<number, R>();
  await askAll(all.length, parallel, async (index) => {
    results.set(index, await run(all[index] as T));
  });
  return all.map((_, index) => results.get(index) as R);
}

export interface Going {
  /** Asked and answered so far. */
  asked(): number;
  /** Ends it; resolves when all is answered, rejects when asking has failed. */
  end(): Promise<void>;
}

/** The same until it is ended, which the end of the test does at the latest. */
export function keepAsking(parallel: number, ask: (index: number) => Promise<void>): Going {
  let next = 0;
  let asked = 0;
  let going = true;
  const work = async (): Promise<void> => {
    while (going) {
      await ask(next++);
      asked++;
    }
  };
  const ended = Promise.all(Array.from({ length: parallel }, work)).then(() => {});
  // Whoever ends it hears of it.
  ended.catch(() => {});
  onEnd(async () => {
    going = false;
    await ended.catch(() => {});
  });
  return {
    asked: () => asked,
    end: async () => {
      going = false;
      await ended;
    },
  };
}

/** Faults by what they say, with how often they were met: a whole load of them stays readable. */
export class Faults {
  readonly #counts = new Map<string, number>();

  add(fault: string): void {
    this.#counts.set(fault, (this.#counts.get(fault) ?? 0) + 1);
  }

  /** The first few; empty when all went well. */
  list(): string[] {
    return [...this.#counts].slice(0, 10).map(([fault, count]) => `${count}× ${fault}`);
  }
}
