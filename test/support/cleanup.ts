// Things that tests start, and that must not outlive them.

import { afterAll, onTestFinished } from 'vitest';

type End = () => unknown;

const endings: End[] = [];

// Registered in the test file that imports this module; the last thing started ends first.
afterAll(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

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
