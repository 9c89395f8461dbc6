// Keys that mean something to JavaScript and nothing to Kubernetes, from the bytes of a question to its answer.

import { expect, test } from 'vitest';
import { createHandlers } from '../../../../src/admission/controller/handlers.ts';
import { createLogger } from '../../../../src/telemetry/logger.ts';
import { requestOf, reviewOf } from '../../../support/review.ts';
import { contextOf, meshed, pod, signedImage, unsignedImage } from '../decide/support.ts';
import { policyOf, signedRegistry } from '../images/support.ts';
import { createMetrics } from '../report/support.ts';
import { start } from '../server/support.ts';

const policies = [policyOf(), policyOf({ postQuantumEncryption: 'required' }, 'base')];

interface Response {
  readonly allowed: boolean;
  readonly auditAnnotations?: Readonly<Record<string, string>>;
  readonly patch?: string;
}

async function startWebhook() {
  const { post } = await start(
    createHandlers({
      context: () => contextOf(signedRegistry(), policies),
      exemptNamespaces: new Set(['kube-system']),
      events: { record: () => {} },
      metrics: createMetrics('test'),
      log: createLogger({ level: 'silent' }),
    }),
  );
  return async (path: '/validate' | '/mutate', request: object): Promise<Response> => {
    const { status, body } = await post(path, { body: textOf(request) });
    expect(status).toBe(200);
    return (body as { readonly response: Response }).response;
  };
}

/** As a field: a literal of that name would set the prototype. */
function hostile(value: unknown): object {
  return { '@proto@': value };
}

function textOf(request: object): string {
  const review = reviewOf({ ...requestOf({}, { dryRun: true }), ...request });
  return JSON.stringify(review).replaceAll('@proto@', '__proto__');
}

const sized = meshed(pod());
const spec = sized['spec'] as object;
const metadata = sized['metadata'] as object;
const attributes = (value: unknown) => ({
  ...sized,
  metadata: { ...metadata, finalizers: ['example.com/a'] },
  spec: {
    ...spec,
    volumes: [
      ...(spec as { readonly volumes: readonly object[] }).volumes,
      { name: 'data', csi: { driver: 'example.com', volumeAttributes: hostile(value) } },
    ],
  },
});

test('a pod that has such a key loses its finalizers, whatever the policies say now', async () => {
  const ask = await startWebhook();
  const oldObject = attributes('a');
  const object = { ...oldObject, metadata };
  const update = { operation: 'UPDATE', object, oldObject };
  expect(await ask('/validate', update)).toMatchObject({
    allowed: true,
    auditAnnotations: { decision: 'unchanged' },
  });
  expect(await ask('/mutate', update)).toMatchObject({ allowed: true });
  // It is a field like others: another value is a change.
  const changed = { ...update, oldObject: attributes('b') };
  expect(await ask('/validate', changed)).toMatchObject({
    allowed: true,
    auditAnnotations: { decision: 'allowed' },
  });
});

const breaking = { hostNetwork: true, hostPID: true, containers: [{ name: 'app', image: unsignedImage }] };
const inherited = { constructor: { prototype: breaking } };

test.each<[string, object]>([
  ['the spec', { ...sized, spec: { ...spec, ...hostile(breaking), ...inherited } }],
  ['the pod', { ...sized, ...hostile({ spec: breaking }), ...inherited }],
  ['its metadata', { ...sized, metadata: { ...metadata, ...hostile({ labels: { a: 'b' } }) } }],
])('what is in %s under such a key is not read', async (_, object) => {
  const ask = await startWebhook();
  expect(await ask('/validate', { object })).toMatchObject({ allowed: true });
  expect(({} as { readonly hostNetwork?: unknown }).hostNetwork).toBeUndefined();
  // Nor by the next one.
  expect(await ask('/validate', { object: sized })).toMatchObject({ allowed: true });
});

test.each<[string, object]>([
  [
    'containers',
    { ...pod(), spec: { ...breaking, ...hostile({ containers: [{ name: 'app', image: signedImage }] }) } },
  ],
  ['a sidecar', { ...pod(), spec: { containers: [{ name: 'app', image: signedImage }], ...hostile(spec) } }],
  ['a spec', { metadata: { name: 'app' }, ...hostile({ spec }) }],
])('%s under such a key make nothing good', async (_, object) => {
  const ask = await startWebhook();
  expect(await ask('/validate', { object })).toMatchObject({ allowed: false });
});

test('nor is it said there where a pod is, or what was there before', async () => {
  const ask = await startWebhook();
  const object = pod({ containers: [{ name: 'app', image: unsignedImage }] });
  for (const request of [
    { object, ...hostile({ namespace: 'kube-system' }) },
    { object, namespace: undefined, ...hostile({ namespace: 'kube-system' }) },
    { object, operation: 'UPDATE', ...hostile({ oldObject: object }) },
  ]) {
    expect(await ask('/validate', request)).toMatchObject({ allowed: false });
  }
});

test('it is not pinned or injected into what is not there', async () => {
  const ask = await startWebhook();
  const object = { metadata: { name: 'app' }, ...hostile({ spec }) };
  expect(await ask('/mutate', { object })).not.toHaveProperty('patch');
});
