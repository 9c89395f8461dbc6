import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Seen, sumUp } from '../../../scripts/ci-summary.ts';

const file = (name: string, status: string, ...tests: string[]) => ({
  name,
  status,
  assertionResults: tests.map((result, index) => ({ status: result, fullName: `${name} test ${index}` })),
});
const report = (...testResults: ReturnType<typeof file>[]): string => {
  const all = testResults.flatMap(({ assertionResults }) => assertionResults);
  const count = (status: string): number => all.filter((one) => one.status === status).length;
  return JSON.stringify({ numPassedTests: count('passed'), numPendingTests: count('skipped'), testResults });
};
const demo = (...checks: boolean[]): string =>
  JSON.stringify({
    ok: checks.every(Boolean),
    checks: checks.map((ok, index) => ({ id: `check-${index}`, ok, detail: 'why' })),
  });

const good: Seen = {
  tests: report(file('a', 'passed', 'passed', 'passed', 'skipped')),
  testsStatus: 0,
  checkStatus: 0,
  demo: demo(true, true, true),
  demoStatus: 0,
};

describe('sumUp', () => {
  test('adds tests, one for the checks, and the checks of the demo', () => {
    expect(sumUp(good)).toEqual({ passed: 2 + 1 + 3, skipped: 1, failures: [] });
  });

  test.each<[string, Partial<Seen>, string, number]>([
    [
      'a failed test',
      { tests: report(file('a', 'failed', 'passed', 'failed')), testsStatus: 1 },
      'a test 1',
      5,
    ],
    [
      'a test file that does not load',
      { tests: report(file('a', 'failed'), file('b', 'passed', 'passed')), testsStatus: 1 },
      'a as a whole',
      5,
    ],
    ['no report of the tests', { tests: undefined }, 'the tests left no report', 4],
    ['half a report of the tests', { tests: '{"numPassed' }, 'the tests left no report', 4],
    ['no tests at all', { tests: report() }, 'no test ran', 4],
    ['an error outside the tests', { testsStatus: 1 }, 'npm test ended with 1', 6],
    ['a failed check', { checkStatus: 2 }, 'npm run check ended with 2', 5],
    ['a failed check of the demo', { demo: demo(true, false), demoStatus: 1 }, 'demo: check-1: why', 4],
    ['a demo that crashed', { demo: '', demoStatus: 70 }, 'the demo printed no report', 3],
    ['a demo that checked nothing', { demo: demo() }, 'demo: it checked nothing', 3],
    ['a demo that contradicts itself', { demoStatus: 1 }, 'demo: ok is true, its exit code 1', 6],
  ])('%s fails', (_, seen, failure, passed) => {
    expect(sumUp({ ...good, ...seen })).toMatchObject({ passed, failures: [failure] });
  });
});

test('as a command it fails when it has nothing to add up, and ends with the line', () => {
  const script = join(import.meta.dirname, '../../../scripts/ci-summary.ts');
  const { status, stdout } = spawnSync(process.execPath, [script, '/nowhere', '0', '0', '/nowhere', '0'], {
    encoding: 'utf8',
  });
  expect(status).toBe(1);
  expect(stdout.trimEnd().split('\n').at(-1)).toBe('1 passed, 2 failed');
});
