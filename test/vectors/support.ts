// Reading published vectors, and counting what was done with them: a file that is missing or empty fails, and what is
// not run has a name and a number.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { findVectors } from '../../scripts/tools/vectors.ts';

/** The first run fetches 36 MB. */
export const fetchTimeoutMs = 10 * 60 * 1000;

export interface WycheproofTest {
  readonly tcId: number;
  readonly comment?: string;
  readonly flags: readonly string[];
  readonly result: 'valid' | 'invalid' | 'acceptable';
  /** Hex, as all values. */
  readonly msg?: string;
  readonly ctx?: string;
  readonly sig?: string;
  readonly seed?: string;
  readonly ek?: string;
  readonly c?: string;
  readonly K?: string;
}

export interface WycheproofGroup {
  readonly publicKey?: string;
  readonly publicKeyDer?: string;
  readonly privateKey?: string;
  readonly privateSeed?: string;
  readonly parameterSet?: string;
  readonly tests: readonly WycheproofTest[];
}

/** The groups of a Wycheproof file. */
export async function wycheproof(name: string, directory?: string): Promise<readonly WycheproofGroup[]> {
  const path = join(await place(directory), 'wycheproof', `${name}_test.json`);
  const file = JSON.parse(await readFile(path, 'utf8')) as {
    readonly numberOfTests: number;
    readonly testGroups: readonly WycheproofGroup[];
  };
  requireTests(path, file.testGroups);
  const count = file.testGroups.reduce((sum, { tests }) => sum + tests.length, 0);
  if (count !== file.numberOfTests)
    throw new Error(`${path} says it has ${file.numberOfTests} tests, has ${count}`);
  return file.testGroups;
}

export interface AcvpGroup {
  readonly parameterSet: string;
  readonly function?: string;
  /** Of the group and of each test, merged with the expected results; hex. */
  readonly tests: readonly Readonly<Record<string, string>>[];
}

interface RawGroup {
  readonly tgId: number;
  readonly parameterSet?: string;
  readonly function?: string;
  readonly dk?: string;
  readonly tests: readonly (Readonly<Record<string, string>> & { readonly tcId?: string })[];
}

/** The groups of an ACVP vector set, each question with its answer. */
export async function acvp(name: string, directory?: string): Promise<readonly AcvpGroup[]> {
  const read = async (file: string): Promise<readonly RawGroup[]> => {
    const path = join(await place(directory), 'acvp', name, file);
    const groups = JSON.parse(gunzipSync(await readFile(path)).toString()).testGroups as readonly RawGroup[];
    requireTests(path, groups);
    return groups;
  };
  const [questions, answers] = [await read('prompt.json.gz'), await read('expectedResults.json.gz')];
  return questions.map((group) => ({
    parameterSet: group.parameterSet ?? '',
    ...(group.function === undefined ? {} : { function: group.function }),
    tests: group.tests.map((test) => {
      const answer = answers
        .find(({ tgId }) => tgId === group.tgId)
        ?.tests.find(({ tcId }) => tcId === test.tcId);
      if (answer === undefined) throw new Error(`${name}: no answer to test ${test.tcId}`);
      return { ...(group.dk === undefined ? {} : { dk: group.dk }), ...test, ...answer };
    }),
  }));
}

async function place(directory: string | undefined): Promise<string> {
  return directory ?? (await findVectors({ env: process.env, log: () => {} })).path;
}

function requireTests(path: string, groups: readonly { readonly tests: readonly unknown[] }[]): void {
  if (!Array.isArray(groups) || groups.length === 0 || groups.some(({ tests }) => tests.length === 0))
    throw new Error(`${path} holds no vectors`);
}

export function hex(text: string | undefined): Buffer {
  if (text === undefined) throw new Error('a vector without the value that its kind has');
  return Buffer.from(text, 'hex');
}

/** Counts by name; compared as a whole, so that no vector is left out silently. */
export class Tally {
  readonly #counts: Record<string, number> = {};

  add(name: string): void {
    this.#counts[name] = (this.#counts[name] ?? 0) + 1;
  }

  expect(counts: Readonly<Record<string, number>>): void {
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(0);
    expect(this.#counts).toEqual(counts);
  }
}
