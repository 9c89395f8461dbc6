// How often property tests run, and from which seed: `npm run fuzz -- 20000` decides for a long run, each test for a short one.

import fc from 'fast-check';

/** Both are set by scripts/fuzz.ts. */
const runsVariable = 'TRELLIS_FUZZ_RUNS';
const seedVariable = 'TRELLIS_FUZZ_SEED';

/** A typo in the seed would be a fuzz run that repeats nothing. */
function wholeNumber(variable: string, otherwise: number, min: number): number {
  const text = process.env[variable];
  if (text === undefined || text === '') return otherwise;
  const value = Number(text);
  if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(value) || value < min) {
    throw new Error(`${variable}=${text} is not a whole number of at least ${min}`);
  }
  return value;
}

const seedOfRun = process.env[seedVariable] ?? '';
if (seedOfRun !== '') {
  fc.configureGlobal({ seed: wholeNumber(seedVariable, 0, Number.MIN_SAFE_INTEGER) });
}

/** Runs of one property: what the fuzz run asks for, else `usual`, which is for every test run and has to be quick. */
export function fuzzRuns(usual: number): number {
  return wholeNumber(runsVariable, usual, 1);
}
