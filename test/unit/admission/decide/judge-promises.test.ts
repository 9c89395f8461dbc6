import { expect, test, vi } from 'vitest';
import { clusterAdvice } from '../../../../src/admission/advice.ts';
import { judgePromises } from '../../../../src/admission/decide/judge-promises.ts';
import { podOf } from '../../../../src/admission/pod/pod-of.ts';
import { policyOf } from '../images/support.ts';
import { container, create, pod } from './support.ts';

const policies = [policyOf({ postQuantumEncryption: 'required' }, 'base')];
const judged = (containers: number, labels: Readonly<Record<string, string>> = {}) => {
  const all = Array.from({ length: containers }, (_, index) =>
    container({ name: `c${index}`, securityContext: { privileged: true } }),
  );
  const request = create(pod({ containers: all, hostNetwork: true }, labels));
  return podOf(request, request.object);
};

test('where there was no pod before, nothing is compared with what it was like', () => {
  const now = judged(1_000);
  const compared = vi.spyOn(JSON, 'stringify');
  const findings = judgePromises(now, undefined, { policies, sidecar: undefined, advice: clusterAdvice });
  const keys = compared.mock.calls.filter(([value]) => typeof value === 'object');
  expect(findings.length).toBeGreaterThan(0);
  expect(keys).toEqual([]);
  compared.mockRestore();
});

test('what was broken before is not said again, and what is new is', () => {
  const context = { policies, sidecar: undefined, advice: clusterAdvice };
  expect(judgePromises(judged(2), judged(2), context)).toEqual([]);
  const fields = judgePromises(judged(3), judged(2), context).map(({ field }) => field);
  expect(new Set(fields)).toEqual(new Set(['spec.containers[2].securityContext.privileged']));
});

test('what the mesh cannot keep is no affair of pods that another policy does not select for it', () => {
  const cnsa = policyOf({ complianceLevel: 'CNSA-2.0' }, 'cnsa');
  const codes = (matchLabels: Readonly<Record<string, string>>) => {
    const into = policyOf({ postQuantumEncryption: 'preferred', selector: { matchLabels } }, 'into');
    const context = { policies: [cnsa, into], sidecar: undefined, advice: clusterAdvice };
    const request = create(pod({}, { app: 'a' }));
    return judgePromises(podOf(request, request.object), undefined, context).map(({ code }) => code);
  };
  expect(codes({ app: 'a' })).toContain('compliance-not-enforceable');
  expect(codes({ app: 'b' })).toEqual([]);
});
