// From the body of a question to its answer: judged, counted, logged, recorded.

import { describe, expect, test } from 'vitest';
import type { AdmissionContext } from '../../../../src/admission/context.ts';
import { createHandlers } from '../../../../src/admission/controller/handlers.ts';
import type { AdmissionDecision } from '../../../../src/admission/decision.ts';
import { AdmissionError } from '../../../../src/admission/errors.ts';
import type { AdmissionRequest } from '../../../../src/admission/review/request.ts';
import { createLogger } from '../../../../src/telemetry/logger.ts';
import { requestOf, reviewOf } from '../../../support/review.ts';
import { contextOf, pod, signedImage, unsignedImage } from '../decide/support.ts';
import { policyOf, rule, signedRegistry } from '../images/support.ts';
import { createMetrics, valuesOf } from '../report/support.ts';

const { signal } = new AbortController();
const uid = '705ab4f5-6393-11e8-b7cc-42010a800002';
const [repository = '', digest = ''] = signedImage.split('@');

function review(image: string, changes: object = {}): object {
  const object = pod({ containers: [{ name: 'app', image }] });
  return reviewOf({ ...requestOf(object, { uid, dryRun: true }), ...changes });
}

interface Answer {
  readonly response: {
    readonly uid: string;
    readonly allowed: boolean;
    readonly status?: { readonly code: number; readonly message: string };
    readonly patch?: string;
  };
}

function handlers(
  context: () => AdmissionContext = () => contextOf(signedRegistry(), [policyOf()]),
  more: Partial<Parameters<typeof createHandlers>[0]> = {},
) {
  const metrics = createMetrics('test');
  const lines: string[] = [];
  const recorded: [AdmissionRequest, AdmissionDecision][] = [];
  const made = createHandlers({
    ...{ context, metrics, exemptNamespaces: new Set(['kube-system']) },
    events: { record: (request, decision) => void recorded.push([request, decision]) },
    log: createLogger({ level: 'info', format: 'json', write: (line) => void lines.push(line) }),
    // At once: what was recorded can be looked at when the answer is there.
    afterwards: (work) => work(),
    ...more,
  });
  return {
    validate: async (body: unknown) => (await made.validate(body, signal)) as Answer,
    mutate: async (body: unknown) => (await made.mutate(body, signal)) as Answer,
    requests: () => valuesOf(metrics, 'trellis_admission_requests_total'),
    logged: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>),
    recorded,
  };
}

describe('what is recorded', () => {
  const signed = review(signedImage);

  test('waits until the answer is on its way', async () => {
    const waiting: (() => void)[] = [];
    const afterwards = (work: () => void) => waiting.push(work);
    const { validate, mutate, requests, recorded } = handlers(undefined, { afterwards });
    expect((await validate(signed)).response.allowed).toBe(true);
    await mutate(signed);
    expect([await requests(), recorded]).toEqual([{}, []]);
    for (const work of waiting) work();
    expect(await requests()).toEqual({
      '{webhook="validate",kind="Pod",result="allowed"}': 1,
      '{webhook="mutate",kind="Pod",result="allowed"}': 1,
    });
    expect(recorded).toHaveLength(1);
  });

  test('and a defect in it ends nothing: the next one is answered', async () => {
    const record = () => {
      throw new Error('a defect');
    };
    const { validate, logged } = handlers(undefined, { events: { record } });
    expect((await validate(signed)).response.allowed).toBe(true);
    expect((await validate(signed)).response.allowed).toBe(true);
    expect(logged()).toMatchObject(Array(2).fill({ level: 50, err: { message: 'a defect' } }));
  });
});

describe('validate', () => {
  test('what is in order is allowed, counted, and no more', async () => {
    const { validate, requests, logged, recorded } = handlers();
    expect((await validate(review(signedImage))).response).toMatchObject({ uid, allowed: true });
    expect(await requests()).toEqual({ '{webhook="validate",kind="Pod",result="allowed"}': 1 });
    expect(logged()).toEqual([]);
    expect(recorded.map(([, { allowed }]) => allowed)).toEqual([true]);
  });

  test('what is denied is logged with its reasons, and recorded', async () => {
    const { validate, requests, logged, recorded } = handlers();
    const { response } = await validate(review(unsignedImage));
    expect(response).toMatchObject({ uid, allowed: false, status: { code: 403 } });
    expect(response.status?.message).toContain(unsignedImage);
    expect(await requests()).toEqual({ '{webhook="validate",kind="Pod",result="denied"}': 1 });
    expect(logged()).toEqual([
      expect.objectContaining({
        level: 40,
        msg: 'denied',
        component: 'admission',
        ...{ operation: 'CREATE', kind: 'Pod', namespace: 'trading', name: 'app', dryRun: true },
        findings: [expect.objectContaining({ code: 'image-not-verified', policy: 'trading/images' })],
        images: [{ image: unsignedImage, decision: 'denied', digest: unsignedImage.split('@')[1] }],
      }),
    ]);
    expect(recorded).toHaveLength(1);
  });

  test('what is only warned of is allowed, and logged', async () => {
    const warning = policyOf({ enforcement: 'warn', images: [rule()] });
    const { validate, logged } = handlers(() => contextOf(signedRegistry(), [warning]));
    expect((await validate(review(unsignedImage))).response.allowed).toBe(true);
    expect(logged()).toEqual([expect.objectContaining({ level: 30, msg: 'allowed, with findings' })]);
  });
});

test('mutate answers with a patch, and records nothing', async () => {
  const { mutate, requests, logged, recorded } = handlers();
  const { response } = await mutate(review(`${repository}:v1`));
  expect(response).toMatchObject({ uid, allowed: true });
  expect(JSON.parse(Buffer.from(response.patch ?? '', 'base64').toString())).toContainEqual({
    op: 'add',
    path: '/spec/containers/0/image',
    value: `${repository}:v1@${digest}`,
  });
  expect(await requests()).toEqual({ '{webhook="mutate",kind="Pod",result="patched"}': 1 });
  expect([logged(), recorded]).toEqual([[], []]);
});

describe('an exempt namespace', () => {
  const namespace = 'kube-system';
  /** Nothing is looked up for it, not even the policies. */
  const nothing = (): never => {
    throw new Error('the context was asked for');
  };

  test('is let through without being judged, and nothing is written there', async () => {
    const { validate, mutate, requests, logged, recorded } = handlers(nothing);
    for (const call of [validate, mutate]) {
      const { response } = await call(review(unsignedImage, { namespace, dryRun: false }));
      expect(response).toEqual({ uid, allowed: true, auditAnnotations: { decision: 'exempt' } });
    }
    expect(await requests()).toEqual({
      '{webhook="validate",kind="Pod",result="exempt"}': 1,
      '{webhook="mutate",kind="Pod",result="exempt"}': 1,
    });
    expect([logged(), recorded]).toEqual([[], []]);
  });

  test('is one by its name alone', async () => {
    const { validate } = handlers();
    const object = { metadata: { namespace }, spec: { containers: [{ name: 'app', image: unsignedImage }] } };
    expect((await validate(review(unsignedImage, { object }))).response.allowed).toBe(false);
    const { response } = await validate(review(unsignedImage, { namespace: `${namespace}-2` }));
    expect(response).toMatchObject({ allowed: true, auditAnnotations: { decision: 'allowed' } });
  });

  test('does not help what is no review', async () => {
    const { validate } = handlers(nothing);
    const answer = await validate(review(signedImage, { namespace, operation: 'CONNECT' }));
    expect(answer.response).toMatchObject({ uid, allowed: false });
  });
});

describe('what cannot be judged is refused, and says why', () => {
  test('a kind of which nobody knows where its pods are', async () => {
    const { validate, requests, logged } = handlers();
    const kind = { group: 'apps', version: 'v2', kind: 'Deployment' };
    expect((await validate(review(signedImage, { kind }))).response).toMatchObject({ uid, allowed: false });
    expect(await requests()).toEqual({ '{webhook="validate",kind="Deployment",result="failed"}': 1 });
    expect(logged()).toEqual([expect.objectContaining({ code: 'ERR_KIND_NOT_JUDGED', webhook: 'validate' })]);
  });

  test.each([
    ['with a uid', { request: { uid: 'mine' } }, 'mine'],
    ['with another thing for it', { request: { uid: 7 } }, ''],
    ['without a request', {}, ''],
    ['null', null, ''],
    ['text', 'x', ''],
  ])('what is no review: %s', async (_, body, expected) => {
    for (const call of ['validate', 'mutate'] as const) {
      expect((await handlers()[call](body)).response).toMatchObject({ uid: expected, allowed: false });
    }
  });

  test('while the policies are not known', async () => {
    const { validate, mutate } = handlers(() => {
      throw new AdmissionError('ERR_POLICIES_UNKNOWN', 'the policies are not known yet');
    });
    for (const call of [validate, mutate]) {
      const { response } = await call(review(signedImage));
      expect(response).toMatchObject({ uid, allowed: false, status: { code: 503 } });
      expect(response.status?.message).toContain('the policies are not known yet');
    }
  });

  test('a defect is the server’s to answer, and is counted', async () => {
    const { validate, requests } = handlers(() => {
      throw new TypeError('a defect');
    });
    await expect(validate(review(signedImage))).rejects.toThrow('a defect');
    expect(await requests()).toEqual({ '{webhook="validate",kind="Pod",result="failed"}': 1 });
  });
});
