import { expect, test } from 'vitest';
import type { Usability } from '../../../../src/admission/images/policies/usability.ts';
import { statusOf } from '../../../../src/admission/report/ready-condition.ts';
import { conditionsOf, earlier, good, now, said, usable, verdict } from './policy-verdicts.ts';

const problem = {
  ...({ severity: 'error', code: 'RootNamespaceOnly', origin: undefined } as const),
  object: { kind: 'QuantumSecurityPolicy', namespace: 'trading', name: 'a' },
  message: 'spec.quarantine: only allowed in the root namespace; its last good version stays in force',
};

test('the status of a policy that is in force', () => {
  expect(statusOf(verdict(), usable, now)).toEqual({
    observedGeneration: 3,
    conditions: [{ ...good, lastTransitionTime: '2026-11-21T12:00:00Z' }],
  });
});

test('the status of one that is not says why, and since when', () => {
  const bad = verdict({ status: said, inForce: false, problems: [problem], generation: 4 });
  expect(statusOf(bad, usable, now)).toEqual({
    observedGeneration: 4,
    conditions: [
      {
        ...{ type: 'Ready', status: 'False', reason: 'RootNamespaceOnly', message: problem.message },
        ...{ observedGeneration: 4, lastTransitionTime: '2026-11-21T12:00:00Z' },
      },
    ],
  });
});

test('the status of one that is not, and nobody knows why, is not good', () => {
  expect(statusOf(verdict({ inForce: false }), usable, now)).toMatchObject({
    conditions: [{ status: 'False' }],
  });
});

const unusable: Usability = { kind: 'unusable', problems: ['rule 1: no key', 'rule 2: no root'] };

test('the status of one that no image can be judged by is not good, and says what an image would be told', () => {
  const [condition] = conditionsOf(statusOf(verdict({ status: said }), unusable, now));
  expect(condition).toMatchObject({
    ...{ status: 'False', reason: 'PolicyUnusable', message: 'rule 1: no key\nrule 2: no root' },
    lastTransitionTime: '2026-11-21T12:00:00Z',
  });
  // As the schema has it, beside everything else.
  expect(condition?.reason).toMatch(/^[A-Za-z][A-Za-z0-9_]*$/);
});

test('the status of one of which that is not known is neither, and nothing is written before it was tried', () => {
  const unknown: Usability = { kind: 'unknown', error: new Error('timed out') };
  expect(conditionsOf(statusOf(verdict(), unknown, now))).toMatchObject([
    { status: 'Unknown', message: expect.stringContaining('timed out; it is tried again') },
  ]);
  expect(statusOf(verdict(), undefined, now)).toBeUndefined();
});

test('the status of one with keys in a key management service says that those were not asked for', () => {
  const status = statusOf(verdict(), { kind: 'usable', hasKmsKeys: true }, now);
  expect(conditionsOf(status)).toMatchObject([
    { status: 'True', message: expect.stringMatching(/as it is written; its keys in key management/) },
  ]);
});

test('the status of one that is not in force says why, whether or not it could be used', () => {
  const bad = verdict({ inForce: false, problems: [problem] });
  for (const each of [unusable, undefined]) {
    expect(conditionsOf(statusOf(bad, each, now))).toMatchObject([{ reason: 'RootNamespaceOnly' }]);
  }
});

test('the status is written when it changes, and only then', () => {
  expect(statusOf(verdict({ status: said }), usable, now)).toBeUndefined();
  const changed = statusOf(verdict({ status: said, generation: 4 }), usable, now);
  expect(changed).toEqual({ observedGeneration: 4, conditions: [{ ...good, observedGeneration: 4 }] });
  expect(statusOf(verdict({ status: { ...said, observedGeneration: 2 } }), usable, now)).toBeDefined();
  const wrong = { ...said, conditions: [{ ...good, message: 'all is lost' }] };
  expect(statusOf(verdict({ status: wrong }), usable, now)).toEqual(said);
});

test('the status keeps the conditions of others, whatever is there', () => {
  const other = { type: 'Conflict', status: 'True', reason: 'X', message: '', lastTransitionTime: earlier };
  const status = { observedGeneration: 3, conditions: [other, 7, { ...good, status: 'Unknown' }] };
  expect(statusOf(verdict({ status }), usable, now)).toMatchObject({
    conditions: [other, { status: 'True' }],
  });
  expect(statusOf(verdict({ status: 'nonsense' }), usable, now)).toMatchObject({
    conditions: [{ type: 'Ready' }],
  });
});

test('the status fits into what the schema allows', () => {
  const long = { ...problem, message: 'x'.repeat(3_000) };
  const status = statusOf(verdict({ inForce: false, problems: [long, long] }), usable, now);
  const [{ message }] = (status as { conditions: [{ message: string }] }).conditions;
  expect([...message].length).toBeLessThanOrEqual(4_096);
});
