import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseFuzzArguments } from '../../../scripts/fuzz.ts';

const root = join(import.meta.dirname, '../../..');

describe('parseFuzzArguments', () => {
  test('takes runs, a seed and parts of file names', () => {
    expect(parseFuzzArguments(['20000'])).toEqual({ runs: 20_000, seed: undefined, filters: [] });
    expect(parseFuzzArguments(['5', '--seed', '7', 'der', 'x509.test'])).toEqual({
      runs: 5,
      seed: 7,
      filters: ['der', 'x509.test'],
    });
  });

  test.each([
    [[], 'say how many'],
    [['0'], 'whole number'],
    [['-5'], ''],
    [['1.5'], 'whole number'],
    [['1e3'], 'whole number'],
    [['many'], 'whole number'],
    [['99999999'], 'whole number'],
    [['5', '--seed', 'x'], 'seed'],
    [['5', '--seed', '4294967296'], 'seed'],
    [['5', '--sed', '1'], ''],
    [['5', '*'], 'part of a file name'],
    [['5', ''], 'part of a file name'],
  ])('refuses %j', (args, reason) => {
    expect(parseFuzzArguments(args)).toEqual({ wrong: expect.stringContaining(reason) });
  });
});

describe('the command', () => {
  const fuzz = (...args: string[]) =>
    spawnSync(process.execPath, ['scripts/fuzz.ts', ...args], { cwd: root, encoding: 'utf8' });

  test('ends with 2 and says how it is used when the arguments are nonsense', () => {
    const { status, stderr } = fuzz('lots');
    expect(status).toBe(2);
    expect(stderr).toContain('usage: npm run fuzz -- RUNS');
  });

  test('gives each property its runs, all from one seed', () => {
    const { status, stdout, stderr } = fuzz('3', '--seed', '11', 'names');
    expect(`${stdout}${stderr}`).toContain('3 inputs for each property, seed 11');
    expect(status).toBe(0);
  });

  test('ends with 1 and says how to see it again when there is nothing to run', () => {
    const { status, stderr } = fuzz('3', '--seed', '11', 'nothing-of-this-name');
    expect(status).toBe(1);
    expect(stderr).toContain('npm run fuzz -- 3 --seed 11 nothing-of-this-name');
  });
});
