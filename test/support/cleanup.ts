// Things that tests and the bench start, and that must not outlive them.

import { afterAll, onTestFinished } from 'vitest';

type End = () => unknown;

const endings: End[] = [];

/** The last thing started ends first. In a test file this happens by itself; a plain process calls it before it ends. */
export async function endAll(): Promise<void> {
  for (const end of endings.splice(0).reverse()) await end();
}

// Registered in the test file that imports this module. In a plain process there is nothing to register with.
if (process.env['VITEST'] !== undefined) afterAll(endAll);

/** Calls back when the test that is running has finished or, from a hook, when the test file has. */
export function onEnd(end: End): void {
  try {
    onTestFinished(async () => {
      await end();
    });
  } catch {
    endings.push(end);
  }
}
