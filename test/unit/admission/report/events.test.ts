import { beforeEach, expect, test } from 'vitest';
import { createEventRecorder, type EventRecorder } from '../../../../src/admission/report/events.ts';
import type { KubeRequest } from '../../../../src/sources/kubernetes/cluster/client.ts';
import { KubernetesError } from '../../../../src/sources/kubernetes/errors.ts';
import { FakeKube } from '../../../support/fake-kube.ts';
import { until } from '../../../support/until.ts';
import { type ManualClock, manualClock } from '../../sources/kubernetes/support.ts';
import { createMetrics, decision, finding, type Metrics, podRequest, valuesOf } from './support.ts';

let kube: FakeKube;
let clock: ManualClock;
let metrics: Metrics;
let failures: unknown[];
let abort: AbortController;

const limits = {
  spacingMs: 50,
  seriesMs: 60_000,
  forgetMs: 600_000,
  burst: 3,
  refillMs: 5_000,
  maxQueued: 10,
};

function recorder(more: Partial<typeof limits> = {}): EventRecorder {
  let names = 0;
  return createEventRecorder({
    ...{ client: kube, instance: 'webhook-0', metrics, signal: abort.signal, clock },
    failed: (error) => failures.push(error),
    newName: () => `event-${names++}`,
    limits: { ...limits, ...more },
  });
}

beforeEach(() => {
  kube = new FakeKube();
  clock = manualClock();
  metrics = createMetrics('1');
  failures = [];
  abort = new AbortController();
});

const denied = (message = 'no signature') => decision([finding({ message })]);
const of = (namespace: string) => podRequest({ namespace });
const results = () => valuesOf(metrics, 'trellis_admission_events_total');

/** Lets what is queued be sent, until that many requests were made. */
async function sent(count: number): Promise<readonly KubeRequest[]> {
  await until(`${count} requests`, () => {
    if (clock.sleeping().length > 0) clock.advance(limits.spacingMs);
    return kube.requests.length >= count;
  });
  await idle();
  return kube.requests;
}

/** What is left of a request after it was made. */
async function idle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

test('a denial becomes an Event of its namespace', async () => {
  recorder().record(podRequest(), denied());
  const [request] = await sent(1);
  expect(request).toMatchObject({
    method: 'POST',
    path: '/apis/events.k8s.io/v1/namespaces/trading/events',
    body: {
      metadata: { name: 'event-0', namespace: 'trading' },
      regarding: { kind: 'ReplicaSet', name: 'orders-7d9' },
      reason: 'AdmissionDenied',
      note: 'no signature',
      reportingInstance: 'webhook-0',
    },
  });
  expect(await results()).toEqual({ '{result="sent"}': 1 });
});

test('nothing is recorded of a dry run, nor of what has no finding', async () => {
  const events = recorder();
  events.record(podRequest({ dryRun: true }), denied());
  events.record(podRequest(), decision());
  events.record(of('b'), denied());
  expect(await sent(1)).toHaveLength(1);
  expect(kube.requests[0]?.path).toContain('/b/');
});

test('the same again is counted, and written once a minute', async () => {
  const events = recorder();
  events.record(podRequest(), denied());
  await sent(1);
  for (let time = 0; time < 5; time += 1) {
    events.record(podRequest(), denied());
    clock.advance(limits.spacingMs);
    await idle();
  }
  expect(kube.requests).toHaveLength(1);
  clock.advance(limits.seriesMs);
  events.record(podRequest(), denied());
  const requests = await sent(2);
  expect(requests).toHaveLength(2);
  expect(requests[1]).toMatchObject({
    method: 'PATCH',
    path: '/apis/events.k8s.io/v1/namespaces/trading/events/event-0',
    contentType: 'application/merge-patch+json',
    body: { series: { count: 7 } },
  });
  expect(await results()).toEqual({ '{result="sent"}': 2, '{result="repeated"}': 6 });
});

test('other words, or another object, are another Event', async () => {
  const events = recorder();
  events.record(podRequest(), denied('a'));
  events.record(podRequest(), denied('b'));
  const metadata = { name: 'p', namespace: 'trading', uid: 'u' };
  events.record(
    podRequest({ object: { metadata } }),
    decision([finding({ enforcement: 'warn', message: 'a' })]),
  );
  expect((await sent(3)).map(({ method }) => method)).toEqual(['POST', 'POST', 'POST']);
});

test('after a long time it is a new one', async () => {
  const events = recorder();
  events.record(podRequest(), denied());
  await sent(1);
  clock.advance(limits.forgetMs + 1);
  events.record(podRequest(), denied());
  const requests = await sent(2);
  expect(requests[1]).toMatchObject({ method: 'POST', body: { metadata: { name: 'event-1' } } });
  expect(requests[1]?.body).not.toHaveProperty('series');
});

test('an Event that ran out is made anew, with its count', async () => {
  const events = recorder();
  events.record(podRequest(), denied());
  await sent(1);
  kube.handle = ({ method }) => {
    if (method === 'PATCH') throw new KubernetesError('ERR_KUBE_NOT_FOUND', 'gone');
  };
  clock.advance(limits.seriesMs);
  events.record(podRequest(), denied());
  const requests = await sent(3);
  expect(requests[2]).toMatchObject({
    method: 'POST',
    body: { metadata: { name: 'event-1' }, series: { count: 2 } },
  });
});

test('an answer that was lost is not written twice', async () => {
  const events = recorder();
  kube.handle = () => {
    throw new KubernetesError('ERR_KUBE_CONFLICT', 'exists');
  };
  events.record(podRequest(), denied());
  await sent(1);
  kube.handle = () => ({});
  clock.advance(limits.seriesMs);
  events.record(podRequest(), denied());
  expect((await sent(2))[1]?.method).toBe('PATCH');
  expect(await results()).toEqual({ '{result="sent"}': 2, '{result="repeated"}': 1 });
});

test('whoever floods in one namespace leaves the Events of others alone', async () => {
  const events = recorder();
  for (let index = 0; index < 100; index += 1) events.record(of('flood'), denied(`image ${index}`));
  events.record(of('quiet'), denied());
  const requests = await sent(limits.burst + 1);
  expect(requests.map(({ path }) => path.split('/')[5])).toEqual(['flood', 'flood', 'flood', 'quiet']);
  expect(await results()).toEqual({ '{result="sent"}': 4, '{result="dropped"}': 97 });
  clock.advance(limits.refillMs);
  events.record(of('flood'), denied('one more'));
  expect(await sent(limits.burst + 2)).toHaveLength(limits.burst + 2);
});

test('while the API server does not answer, the answer to others does not wait, and the queue has an end', async () => {
  const gate = Promise.withResolvers<void>();
  kube.handle = () => gate.promise;
  const events = recorder();
  for (let index = 0; index < 100; index += 1) events.record(of(`n${index}`), denied());
  // One is under way, ten wait.
  expect(await results()).toEqual({ '{result="dropped"}': 89 });
  gate.resolve();
  expect(await sent(11)).toHaveLength(11);
});

test('requests are spaced', async () => {
  const events = recorder();
  events.record(of('a'), denied());
  events.record(of('b'), denied());
  await until('the first', () => clock.sleeping().includes(limits.spacingMs));
  expect(kube.requests).toHaveLength(1);
  clock.advance(limits.spacingMs);
  await until('the second', () => kube.requests.length === 2);
});

test('failures are counted and said once, until it works again', async () => {
  const events = recorder();
  const refuse = () => {
    throw new KubernetesError('ERR_KUBE_FORBIDDEN', 'no');
  };
  kube.handle = refuse;
  events.record(of('a'), denied());
  events.record(of('b'), denied());
  await sent(2);
  expect(failures).toHaveLength(1);
  kube.handle = () => ({});
  events.record(of('c'), denied());
  await sent(3);
  kube.handle = refuse;
  events.record(of('d'), denied());
  await sent(4);
  expect(failures).toHaveLength(2);
  expect(await results()).toEqual({ '{result="failed"}': 3, '{result="sent"}': 1 });
});

test('a request that fails is tried again with the next of the same', async () => {
  const events = recorder();
  kube.handle = () => {
    throw new KubernetesError('ERR_KUBE_OVERLOADED', 'later');
  };
  events.record(podRequest(), denied());
  await sent(1);
  kube.handle = () => ({});
  clock.advance(limits.seriesMs);
  events.record(podRequest(), denied());
  expect((await sent(2))[1]).toMatchObject({ method: 'POST', body: { series: { count: 2 } } });
});

test('when it ends, what waits is forgotten and nothing is called a failure', async () => {
  kube.handle = ({ signal }) =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    });
  const events = recorder();
  events.record(of('a'), denied());
  events.record(of('b'), denied());
  abort.abort();
  events.record(of('c'), denied());
  await idle();
  expect(kube.requests).toHaveLength(1);
  expect(failures).toEqual([]);
  expect(await results()).toEqual({});
});
