// Adds up what .ci/run has seen: node scripts/ci-summary.ts TESTS.JSON STATUS CHECK_STATUS DEMO.JSON STATUS
//
// Counts every test, the checks of `npm run check` as one, and every check of the demo. What could not be counted (no
// report, no tests, a status that contradicts its report) counts as failed: silence is not success.

import { readFile } from 'node:fs/promises';

/** What `vitest --reporter=json` writes, as far as we read it. */
interface TestReport {
  readonly numPassedTests: number;
  readonly numPendingTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

/** What `trellis demo --exit --json` prints, as far as we read it. */
interface DemoReport {
  readonly ok: boolean;
  readonly checks: readonly { readonly id: string; readonly ok: boolean; readonly detail?: string }[];
}

interface Sum {
  readonly passed: number;
  readonly skipped: number;
  /** Every failure by name. */
  readonly failures: readonly string[];
}

export interface Seen {
  /** Text of the report; undefined when there is none. */
  readonly tests: string | undefined;
  readonly testsStatus: number;
  readonly checkStatus: number;
  readonly demo: string | undefined;
  readonly demoStatus: number;
}

export function sumUp(seen: Seen): Sum {
  const parts = [
    sumTests(parse<TestReport>(seen.tests), seen.testsStatus),
    seen.checkStatus === 0
      ? { passed: 1, skipped: 0, failures: [] }
      : { passed: 0, skipped: 0, failures: [`npm run check ended with ${seen.checkStatus}`] },
    sumDemo(parse<DemoReport>(seen.demo), seen.demoStatus),
  ];
  return {
    passed: parts.reduce((total, part) => total + part.passed, 0),
    skipped: parts.reduce((total, part) => total + part.skipped, 0),
    failures: parts.flatMap((part) => part.failures),
  };
}

function sumTests(report: TestReport | undefined, status: number): Sum {
  if (report === undefined) return { passed: 0, skipped: 0, failures: ['the tests left no report'] };
  const failures = report.testResults.flatMap(({ name, status: fileStatus, assertionResults }) => {
    const failed = assertionResults.filter((test) => test.status === 'failed').map((test) => test.fullName);
    // A file that cannot be loaded has no tests that could fail.
    return fileStatus === 'failed' && failed.length === 0 ? [`${name} as a whole`] : failed;
  });
  const passed = report.numPassedTests;
  if (passed + failures.length === 0) failures.push('no test ran');
  if (status !== 0 && failures.length === 0) failures.push(`npm test ended with ${status}`);
  return { passed, skipped: report.numPendingTests, failures };
}

function sumDemo(report: DemoReport | undefined, status: number): Sum {
  if (report === undefined) return { passed: 0, skipped: 0, failures: ['the demo printed no report'] };
  const failures = report.checks
    .filter((check) => !check.ok)
    .map(({ id, detail }) => `demo: ${id}: ${detail ?? ''}`);
  const passed = report.checks.length - failures.length;
  if (report.checks.length === 0) failures.push('demo: it checked nothing');
  const contradiction = status !== 0 || report.ok !== true;
  if (contradiction && failures.length === 0)
    failures.push(`demo: ok is ${report.ok}, its exit code ${status}`);
  return { passed, skipped: 0, failures };
}

function parse<T>(text: string | undefined): T | undefined {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as T);
  } catch {
    return undefined;
  }
}

if (import.meta.main) {
  const [testsFile = '', testsStatus, checkStatus, demoFile = '', demoStatus] = process.argv.slice(2);
  const read = (path: string): Promise<string | undefined> => readFile(path, 'utf8').catch(() => undefined);
  const { passed, skipped, failures } = sumUp({
    tests: await read(testsFile),
    testsStatus: Number(testsStatus),
    checkStatus: Number(checkStatus),
    demo: await read(demoFile),
    demoStatus: Number(demoStatus),
  });
  for (const failure of failures) console.log(`FAILED ${failure}`);
  if (skipped > 0) console.log(`${skipped} tests were skipped`);
  console.log(`${passed} passed, ${failures.length} failed`);
  process.exitCode = failures.length === 0 ? 0 : 1;
}
