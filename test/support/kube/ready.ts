// Waiting for a program of the test cluster.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Program } from './program.ts';

/** A control plane serves within seconds; this is for a machine in trouble. */
const readyTimeoutMs = 45_000;

/** The first answer that is not an error. Rejects, with the program's own words, when it ends or takes too long. */
export async function untilReady<T>(name: string, program: Program, look: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + readyTimeoutMs;
  for (;;) {
    try {
      return await look();
    } catch (error) {
      if (program.hasEnded()) throw new Error(`${name} has ended:\n${await program.log()}`);
      if (performance.now() > deadline) {
        throw new Error(`${name} does not get ready (${String(error)}):\n${await program.log()}`);
      }
      await sleep(20);
    }
  }
}
