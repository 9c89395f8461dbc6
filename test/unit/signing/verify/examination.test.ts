// The two steps of a verification by themselves: what was examined once is concluded from again.

import { beforeEach, expect, test, vi } from 'vitest';
import { RegistryError } from '../../../../src/registry/errors.ts';
import { type ExaminationOptions, examineImage } from '../../../../src/signing/verify/examination.ts';
import { concludeExamination } from '../../../../src/signing/verify/judge.ts';
import { defaultVerificationLimits } from '../../../../src/signing/verify/limits.ts';
import type { VerificationPolicy } from '../../../../src/signing/verify/policy.ts';
import type { Question } from '../../../../src/signing/verify/question.ts';
import { FakeRegistry } from './fake-registry.ts';
import {
  authorityOf,
  bundleBytes,
  digest,
  expectDenied,
  keysetOf,
  now,
  payloadBy,
  policyOf,
  repository,
  slsa,
  testKey,
} from './support.ts';

const hybrid = [testKey('ML-DSA-65'), testKey('ECDSA-P256')];
const notAfter = new Date(now.getTime() + 1);
const ci = authorityOf('ci', [keysetOf('ci-2026', hybrid, notAfter)]);

let registry: FakeRegistry;
beforeEach(() => {
  registry = new FakeRegistry();
});

function attachSigned(changes: Parameters<typeof payloadBy>[1] = {}) {
  const payload = payloadBy(hybrid, changes);
  const { predicateType } = changes;
  return hybrid.map((key) =>
    registry.attach(bundleBytes(key, payload), predicateType === undefined ? {} : { predicateType }),
  );
}

function questionOf(policy: VerificationPolicy, at = now): Question {
  return { reference: `${repository}:v1`, digest, repository, policy, now: at };
}

function examine(question: Question, changes: Partial<ExaminationOptions> = {}) {
  return examineImage(question, {
    client: registry.client,
    repository: { registry: 'registry.example', path: 'trading/app' },
    limits: defaultVerificationLimits,
    signal: new AbortController().signal,
    isEnough: () => false,
    ...changes,
  });
}

test('the verdict is drawn again without the registry, by the time and the conditions that hold then', async () => {
  attachSigned();
  attachSigned({ predicateType: slsa, predicate: {} });
  const holds = vi.fn((): true | string => true);
  const attestations = [{ predicateType: slsa, condition: { text: 'c', holds } }];
  const question = questionOf(policyOf([ci], { attestations }));
  const examination = await examine(question);
  const requests = registry.requests();
  // No condition was evaluated: that is for the second step.
  expect(holds).not.toHaveBeenCalled();
  expect(concludeExamination(examination, question).ok).toBe(true);
  holds.mockReturnValue('not any more');
  expectDenied(concludeExamination(examination, question), /not any more/);
  holds.mockReturnValue(true);
  expectDenied(concludeExamination(examination, { ...question, now: notAfter }), /its notAfter was/);
  const revoking = { ...question.policy, revokedDigests: new Set([digest]) };
  expectDenied(concludeExamination(examination, { ...question, policy: revoking }), /revokes/);
  expect(registry.requests()).toBe(requests);
});

test('says whether all was looked at', async () => {
  for (let at = 0; at < 10; at += 1) attachSigned();
  const question = questionOf(policyOf([ci]));
  const complete = await examine(question);
  expect([complete.isComplete, complete.examined.length]).toEqual([true, 20]);
  const enough = await examine(question, { isEnough: (examined) => examined.length >= 8 });
  expect([enough.isComplete, enough.examined.length]).toEqual([false, 8]);
});

test('keeps what the registry failed to give, and no verdict is drawn for which it might have been needed', async () => {
  const [first] = attachSigned();
  const error = new RegistryError('ERR_REGISTRY_TIMEOUT', 'slow');
  registry.manifests.set(first?.digest ?? digest, error);
  const question = questionOf(policyOf([ci]));
  const examination = await examine(question);
  expect(examination.failures).toEqual([error]);
  expect(() => concludeExamination(examination, question)).toThrow(error);
  attachSigned();
  expect(concludeExamination(await examine(question), question).ok).toBe(true);
});
