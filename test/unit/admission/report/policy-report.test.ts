import { expect, test } from 'vitest';
import type { AdmissionDecision, Finding } from '../../../../src/admission/decision.ts';
import { AdmissionError } from '../../../../src/admission/errors.ts';
import { ReportCollector } from '../../../../src/admission/report/policy-report.ts';
import {
  notComeTo,
  notJudged,
  resultsOf,
  worstOutcome,
} from '../../../../src/admission/report/report-results.ts';
import { decision, finding, image } from './support.ts';

const pod = (name: string) => ({ namespace: 'trading', name, uid: `uid-of-${name}` });

function collect(...decisions: readonly (readonly [string, AdmissionDecision])[]) {
  const collector = new ReportCollector();
  for (const [name, judged] of decisions) collector.add(pod(name), resultsOf(pod(name), judged));
  return collector.content();
}

test('a finding says which pod, image, rule and policy, and what to do', () => {
  const content = collect(['orders-0', decision([finding()], { images: [image({ decision: 'denied' })] })]);
  expect(content?.summary).toEqual({ fail: 1, error: 0, warn: 0, pass: 0, skip: 0 });
  expect(content?.results).toEqual([
    {
      source: 'trellis',
      policy: 'trading/images',
      rule: 'image-not-verified',
      category: 'Image verification',
      severity: 'high',
      result: 'fail',
      scored: true,
      message: 'no signature',
      resources: [
        { apiVersion: 'v1', kind: 'Pod', namespace: 'trading', name: 'orders-0', uid: 'uid-of-orders-0' },
      ],
      properties: {
        enforcement: 'enforce',
        field: 'spec.containers[0].image',
        image: 'registry.example/trading/orders@sha256:0',
        digest: 'sha256:0',
      },
    },
  ]);
});

test.each<readonly [Partial<Finding>, string, boolean]>([
  [{ enforcement: 'enforce' }, 'fail', true],
  [{ enforcement: 'warn' }, 'warn', false],
  [{ enforcement: 'audit' }, 'warn', false],
  [{ code: 'image-unknown', enforcement: 'enforce' }, 'error', true],
  [{ code: 'policy-unusable', enforcement: 'enforce' }, 'error', true],
])('%j comes out as %s', (changes, result, scored) => {
  const [first] = collect(['a', decision([finding(changes)])])?.results ?? [];
  expect(first).toMatchObject({ result, scored });
});

test('what others wrote is short and on one line', () => {
  const message = `\u001b[2J${'long '.repeat(1_000)}`;
  const judged = decision([finding({ message })], { images: [image({ image: message })] });
  const [first] = collect(['a', judged])?.results ?? [];
  expect(first?.message).toMatch(/^\\u001b\[2Jlong .*…$/);
  expect(Buffer.byteLength(first?.message ?? '')).toBeLessThanOrEqual(1_000);
  expect(Buffer.byteLength(first?.properties['image'] ?? '')).toBeLessThanOrEqual(500);
});

test('pods that pass are told of; those of which no policy speaks are only counted', () => {
  const content = collect(
    ['good', decision([], { images: [image(), image({ decision: 'allowed' })] })],
    ['free', decision([], { images: [image({ decision: 'no-policy' })] })],
  );
  expect(content?.summary).toEqual({ fail: 0, error: 0, warn: 0, pass: 1, skip: 1 });
  expect(content?.results).toMatchObject([
    { result: 'pass', message: 'images verified: 1; let in by a rule that asks for no signature: 1' },
  ]);
});

test('where no policy speaks of anything there is nothing to say', () => {
  expect(collect(['free', decision([], { images: [image({ decision: 'no-policy' })] })])).toBeUndefined();
  expect(collect()).toBeUndefined();
});

test('the worst comes first, and something new before what replicas say alike', () => {
  const same = decision([finding({ message: 'same' })]);
  const content = collect(
    ['a-2', same],
    ['a-1', same],
    ['b', decision([finding({ enforcement: 'warn', message: 'odd' })])],
    ['c', decision([finding({ message: 'other' })])],
  );
  expect(content?.results.map(({ message }) => message)).toEqual(['same', 'other', 'same', 'odd']);
});

test('results are bounded, the summary counts all, and one odd pod among thousands is told of', () => {
  const collector = new ReportCollector();
  const replica = decision([finding({ message: 'same' })]);
  for (let index = 0; index < 3_000; index += 1) {
    const name = `replica-${String(index).padStart(4, '0')}`;
    collector.add(pod(name), resultsOf(pod(name), replica));
  }
  collector.add(pod('z'), resultsOf(pod('z'), decision([finding({ message: 'odd' })])));
  const content = collector.content();
  expect(content?.summary.fail).toBe(3_001);
  expect(content?.results).toHaveLength(250);
  expect(content?.results[1]?.message).toBe('odd');
});

test.each(['"\\\\', '<', 'ä', '\u0007'])(
  'a report of the longest texts of %j stays below what etcd takes',
  (character) => {
    const collector = new ReportCollector();
    const long = character.repeat(10_000);
    const name = 'p'.repeat(253);
    for (let index = 0; index < 1_000; index += 1) {
      const found = finding({ message: index + long, field: long, policy: `${name}/${name}` });
      const judged = decision([found], { images: [image({ image: long, field: long, digest: long })] });
      collector.add(pod(name), resultsOf(pod(name), judged));
    }
    const content = collector.content();
    expect(content?.summary.fail).toBe(1_000);
    // As Go writes it.
    const stored = JSON.stringify(content).replaceAll(/[<>&]/g, '\\u0000');
    expect(Buffer.byteLength(stored)).toBeGreaterThan(500_000);
    expect(Buffer.byteLength(stored)).toBeLessThan(1_100_000);
  },
);

test('a pod that could not be judged is an error; only what is meant for readers is said', () => {
  const told = notJudged(pod('a'), new AdmissionError('ERR_POD_INVALID', 'too many containers'));
  expect(told).toMatchObject({ result: 'error', message: expect.stringContaining('too many containers') });
  const internal = notJudged(pod('a'), new Error('/secret/path'));
  expect(JSON.stringify(internal)).not.toContain('secret');
});

test('a pod whose turn did not come is an error, and no fault of it', () => {
  expect(notComeTo(pod('a'))).toMatchObject({ ...{ result: 'error', rule: 'not-judged' }, scored: false });
});

test('the outcome of a pod is its worst', () => {
  const findings = [finding({ enforcement: 'warn' }), finding(), finding({ code: 'image-unknown' })];
  expect(worstOutcome(resultsOf(pod('a'), decision(findings)))).toBe('fail');
  expect(worstOutcome([])).toBe('skip');
});
