// Runs the property tests for long: node scripts/fuzz.ts RUNS [--seed N] [vitest filter, such as der]...
//
// RUNS is how many inputs each property is given. All of them are made from one seed, which is printed: the same seed,
// RUNS and code give the same inputs again. Ends with 0 when every property held, 1 when one did not, 2 when the command line is
// wrong, 3 when the run had to be ended because nothing came of it any more.

import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

/** Above it a typo is likelier than patience: the slowest properties make a few hundred runs a second. */
const maxRuns = 10_000_000;
const maxSeed = 2 ** 31 - 1;

/** What one input of the slowest property may take on a slow, busy machine, many times over, and what starting takes. */
const patiencePerRunMs = 100;
const patienceMs = 120_000;

export interface FuzzOptions {
  readonly runs: number;
  readonly seed: number | undefined;
  /** Parts of the names of the files to run; empty: all. */
  readonly filters: readonly string[];
}

/** What the arguments ask for, or what is wrong with them. */
export function parseFuzzArguments(args: readonly string[]): FuzzOptions | { readonly wrong: string } {
  let parsed: { values: { seed?: string | undefined }; positionals: string[] };
  try {
    parsed = parseArgs({ args: [...args], options: { seed: { type: 'string' } }, allowPositionals: true });
  } catch (error) {
    return { wrong: error instanceof Error ? error.message : String(error) };
  }
  const [runsText, ...filters] = parsed.positionals;
  if (runsText === undefined) return { wrong: 'say how many inputs each property is given' };
  const runs = wholeNumber(runsText, maxRuns);
  if (runs === undefined || runs === 0)
    return { wrong: `${JSON.stringify(runsText)} is not a whole number from 1 to ${maxRuns}` };
  const { seed: seedText } = parsed.values;
  const seed = seedText === undefined ? undefined : wholeNumber(seedText, maxSeed);
  if (seedText !== undefined && seed === undefined)
    return { wrong: `the seed ${JSON.stringify(seedText)} is not a whole number from 0 to ${maxSeed}` };
  const odd = filters.find((filter) => !/^[\w/-][\w./-]*$/.test(filter));
  if (odd !== undefined) return { wrong: `${JSON.stringify(odd)} is no part of a file name` };
  return { runs, seed, filters };
}

function wholeNumber(text: string, max: number): number | undefined {
  const value = Number(text);
  return /^\d{1,10}$/.test(text) && value <= max ? value : undefined;
}

function fuzz({ runs, seed, filters }: FuzzOptions & { readonly seed: number }): void {
  const again = `npm run fuzz -- ${[runs, '--seed', seed, ...filters].join(' ')}`;
  console.error(`fuzz: ${runs} inputs for each property, seed ${seed}`);
  const patience = patienceMs + runs * patiencePerRunMs;
  const paths = filters.length === 0 ? ['test/property'] : filters.map((filter) => `test/property/${filter}`);
  const vitest = spawn(
    process.execPath,
    [
      join(import.meta.dirname, '../node_modules/vitest/vitest.mjs'),
      'run',
      '--reporter=verbose',
      // A property may run for hours; what hangs is ended below.
      '--testTimeout=0',
      ...paths,
    ],
    {
      cwd: join(import.meta.dirname, '..'),
      env: { ...process.env, TRELLIS_FUZZ_RUNS: String(runs), TRELLIS_FUZZ_SEED: String(seed) },
      // A group of its own, so that its workers end with it.
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const end = (signal: NodeJS.Signals): void => {
    if (vitest.pid !== undefined && vitest.exitCode === null && vitest.signalCode === null)
      process.kill(-vitest.pid, signal);
  };
  let hung = false;
  // A synchronous endless loop can only be ended from outside. Every finished property prints a line and sets this back.
  const watchdog = setTimeout(() => {
    hung = true;
    end('SIGKILL');
  }, patience);
  vitest.stdout?.on('data', (chunk: Buffer) => {
    process.stdout.write(chunk);
    watchdog.refresh();
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => end(signal));
  vitest.on('error', (error) => {
    clearTimeout(watchdog);
    console.error(`fuzz: vitest does not start: ${error.message}; run npm ci`);
    process.exitCode = 1;
  });
  vitest.on('close', (code) => {
    clearTimeout(watchdog);
    if (hung) {
      console.error(
        `fuzz: no property ended for ${patience / 1000} s: the one after the last named above hangs`,
      );
    }
    process.exitCode = hung ? 3 : code === 0 ? 0 : 1;
    if (process.exitCode !== 0) console.error(`fuzz: seed ${seed}; to see it again: ${again}`);
  });
}

if (import.meta.main) {
  const options = parseFuzzArguments(process.argv.slice(2));
  if ('wrong' in options) {
    console.error(`fuzz: ${options.wrong}`);
    console.error(
      'usage: npm run fuzz -- RUNS [--seed N] [FILTER]...   for example: npm run fuzz -- 20000 der',
    );
    process.exitCode = 2;
  } else {
    fuzz({ ...options, seed: options.seed ?? randomInt(maxSeed) });
  }
}
