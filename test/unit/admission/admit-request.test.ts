// What becomes of an object that nobody has sent yet: the webhook that changes it and the one that judges it, as one.

import { expect, test } from 'vitest';
import { admitRequest } from '../../../src/admission/admit-request.ts';
import { container, contextOf, create, deployment, pod, signedImage } from './decide/support.ts';
import { policyOf, rule, signedRegistry } from './images/support.ts';

const { signal } = new AbortController();
const [repository = '', digest = ''] = signedImage.split('@');
const tagged = `${repository}:v1`;
const meshed = [policyOf({ postQuantumEncryption: 'required', images: [rule()] })];

test('a pod by its tag and without a sidecar is judged with what the webhook adds, and stays as it was', async () => {
  const object = pod({ containers: [container({ image: tagged })] });
  const before = structuredClone(object);
  const decision = await admitRequest(create(object), contextOf(signedRegistry(), meshed), signal);
  expect(decision.findings).toEqual([]);
  expect(decision.images).toEqual([
    {
      image: `${tagged}@${digest}`,
      field: 'spec.containers[0].image',
      decision: 'verified',
      digest,
    },
  ]);
  expect(object).toEqual(before);
});

test('what the webhook cannot mend is denied', async () => {
  const object = pod({ containers: [container({ image: tagged })], hostPID: true });
  const { allowed, findings } = await admitRequest(
    create(object),
    contextOf(signedRegistry(), meshed),
    signal,
  );
  expect([allowed, findings.map(({ code }) => code)]).toEqual([false, ['host-processes']]);
});

test('a tag that cannot be resolved stays one, and is denied', async () => {
  const registry = signedRegistry();
  const resolve = () => Promise.reject(new Error('the registry is away'));
  const context = contextOf(registry, meshed);
  const judge = { ...context.judge, resolve };
  const object = pod({ containers: [container({ image: tagged })] });
  const { findings } = await admitRequest(create(object), { ...context, judge }, signal);
  expect(findings.map(({ code }) => code)).toEqual(['image-not-digest']);
});

test('a template is judged as it is written: its pods are changed when they are made', async () => {
  const request = deployment({ spec: { containers: [container({ image: tagged })] } });
  const decision = await admitRequest(request, contextOf(signedRegistry(), meshed), signal);
  expect(decision.findings.map(({ code, enforcement }) => [code, enforcement])).toEqual([
    ['image-not-digest', 'warn'],
  ]);
});
