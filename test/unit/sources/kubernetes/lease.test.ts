// An election step by step: on a clock that stands still until told, before a server that does as it is told.

import { describe, expect, test } from 'vitest';
import type { KubeRequest } from '../../../../src/sources/kubernetes/cluster/client.ts';
import { KubernetesError } from '../../../../src/sources/kubernetes/errors.ts';
import {
  defaultTiming,
  type Election,
  runElection,
} from '../../../../src/sources/kubernetes/lease/election.ts';
import { holds } from '../../../../src/sources/kubernetes/lease/tenure.ts';
import { onEnd } from '../../../support/cleanup.ts';
import { FakeKube } from '../../../support/fake-kube.ts';
import { until } from '../../../support/until.ts';
import { type ManualClock, manualClock } from './support.ts';

interface Stored {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** One Lease, as an API server keeps it. */
class LeaseServer extends FakeKube {
  lease: Stored | undefined;
  readonly writes: Stored[] = [];
  looks = 0;
  /** Called before each request; what it throws is the answer. */
  before: (request: KubeRequest) => void = () => {};
  /** The same, when the request has been done. */
  after: (request: KubeRequest) => void = () => {};
  #version = 10;

  set(spec: Readonly<Record<string, unknown>>): void {
    this.lease = { metadata: { name: 'leader', resourceVersion: String(++this.#version) }, spec };
  }

  override handle = (request: KubeRequest): Stored => {
    this.before(request);
    const { method = 'GET', body } = request;
    if (method === 'GET') this.looks++;
    else this.#write(method, body as Stored);
    this.after(request);
    if (this.lease === undefined) throw new KubernetesError('ERR_KUBE_NOT_FOUND', 'none');
    return this.lease;
  };

  #write(method: string, body: Stored): void {
    const current = this.lease?.metadata.resourceVersion;
    if (method === 'PUT' && current === undefined) throw new KubernetesError('ERR_KUBE_NOT_FOUND', 'none');
    if (body.metadata.resourceVersion !== current) throw new KubernetesError('ERR_KUBE_CONFLICT', 'no');
    this.set(body.spec);
    if (this.lease !== undefined) this.writes.push(this.lease);
  }
}

interface Standing {
  readonly election: Election;
  readonly clock: ManualClock;
  readonly said: readonly string[];
  readonly controller: AbortController;
  /** Lets the pause between two attempts pass, and waits for the end of the attempt. */
  next(): Promise<void>;
}

async function stand(server: LeaseServer, clock = manualClock()): Promise<Standing> {
  const said: string[] = [];
  const controller = new AbortController();
  onEnd(() => controller.abort());
  const election = runElection({
    ...{ client: server, namespace: 'a', name: 'leader', identity: 'me', clock, random: () => 0.5 },
    signal: controller.signal,
    report: {
      leading: (leads) => said.push(leads ? 'leads' : 'does not lead'),
      failed: (error) => said.push(error instanceof KubernetesError ? error.code : String(error)),
    },
  });
  const paused = () => until('the pause', () => clock.sleeping().length === 1);
  await paused();
  const next = async (): Promise<void> => {
    clock.advance(defaultTiming.retryMs);
    await paused();
  };
  return { election, clock, said, controller, next };
}

const { leaseMs, renewDeadlineMs, retryMs } = defaultTiming;
const other = { holderIdentity: 'other', leaseDurationSeconds: 15 };
const nobody = { holderIdentity: '' };

function serverWith(spec?: Readonly<Record<string, unknown>>): LeaseServer {
  const server = new LeaseServer();
  if (spec !== undefined) server.set(spec);
  return server;
}

test.each([{ renewDeadlineMs: leaseMs }, { leaseMs: 10_500 }])('%j could let two lead', (timing) => {
  const options = { client: serverWith(), namespace: 'a', name: 'b', identity: 'c' };
  const report = { leading: () => {}, failed: () => {} };
  const signal = AbortSignal.abort();
  expect(() => runElection({ ...options, report, signal, timing })).toThrow(RangeError);
});

test.each([
  [undefined, 0, 0, false],
  [0, 9_999, 9_999, true],
  [0, 10_000, 0, false],
  [0, 0, 10_000, false],
  // Set back, the wall clock says nothing.
  [0, 9_999, -99_999, true],
])('confirmed at %s, it is %i and %i later: %s', (confirmed, monotonicMs, wallMs, expected) => {
  const since = confirmed === undefined ? undefined : { monotonicMs: confirmed, wallMs: confirmed };
  expect(holds(since, { monotonicMs, wallMs }, 10_000)).toBe(expected);
});

test('a Lease without a holder is taken at once, and renewed without looking', async () => {
  const server = serverWith({ ...nobody, leaseTransitions: 3 });
  const { election, clock, said, next } = await stand(server);
  expect(election.isLeader()).toBe(true);
  expect(said).toEqual(['leads']);
  const time = `${clock.now().toISOString().slice(0, -1)}000Z`;
  expect(server.lease?.spec).toEqual({
    ...{ holderIdentity: election.identity, leaseDurationSeconds: 15, leaseTransitions: 4 },
    ...{ acquireTime: time, renewTime: time },
  });
  expect(election.identity).toMatch(/^me_[\da-f-]{36}$/);
  await next();
  expect(server.looks).toBe(1);
  expect(server.lease?.spec).toMatchObject({ acquireTime: time, leaseTransitions: 4 });
  expect(server.lease?.spec['renewTime']).not.toBe(time);
});

test('a Lease that is not there may have been deleted under its holder', async () => {
  const server = serverWith();
  const { election, clock, next } = await stand(server);
  for (let waited = 0; waited + retryMs < leaseMs; waited += retryMs) {
    await next();
    expect(election.isLeader()).toBe(false);
    expect(server.writes).toEqual([]);
  }
  await next();
  expect(clock.monotonic()).toBeGreaterThanOrEqual(leaseMs);
  expect(election.isLeader()).toBe(true);
});

describe('a Lease of another', () => {
  test('is left alone as long as it changes', async () => {
    const server = serverWith(other);
    const { election, next } = await stand(server);
    for (let count = 0; count < 30; count++) {
      if (count % 5 === 0) server.set(other);
      await next();
    }
    expect(election.isLeader()).toBe(false);
    expect(server.writes).toEqual([]);
  });

  test.each([
    ['what we would have promised', other, leaseMs],
    ['what its holder promised, if that is longer', { ...other, leaseDurationSeconds: 40 }, 40_000],
    ['what we would have, if it promised less', { ...other, leaseDurationSeconds: 1 }, leaseMs],
    ['what we would have, if it promised nothing', { holderIdentity: 'other' }, leaseMs],
  ])('is taken over after %s', async (_, spec, ms) => {
    const server = serverWith(spec);
    const { election, clock, next } = await stand(server);
    const start = clock.monotonic();
    while (!election.isLeader()) await next();
    expect(clock.monotonic() - start).toBeGreaterThanOrEqual(ms);
    expect(clock.monotonic() - start).toBeLessThan(ms + 2 * retryMs);
  });

  test('that is written meanwhile is lost, without an error', async () => {
    const server = serverWith(nobody);
    server.before = ({ method }) => {
      if (method === 'PUT') server.set(other);
    };
    const { election, said } = await stand(server);
    expect(election.isLeader()).toBe(false);
    expect(said).toEqual([]);
  });
});

describe('a leader', () => {
  const away = () => {
    throw new KubernetesError('ERR_KUBE_UNREACHABLE', 'away');
  };

  test('whose server is away leads until the deadline, and not longer', async () => {
    const server = serverWith(nobody);
    const { election, clock, said, next } = await stand(server);
    server.before = away;
    const start = clock.monotonic();
    while (clock.monotonic() - start < renewDeadlineMs) {
      expect(election.isLeader()).toBe(true);
      await next();
    }
    expect(election.isLeader()).toBe(false);
    expect(said).toContain('does not lead');
    server.before = () => {};
    // Nobody else took it.
    await next();
    expect(election.isLeader()).toBe(true);
  });

  test('counts from before its renewal was sent', async () => {
    const server = serverWith(nobody);
    const clock = manualClock();
    server.after = ({ method }) => {
      if (method === 'PUT') clock.advance(4_000);
    };
    const { election } = await stand(server, clock);
    clock.advance(renewDeadlineMs - 4_001);
    expect(election.isLeader()).toBe(true);
    server.before = away;
    clock.advance(1);
    expect(election.isLeader()).toBe(false);
  });

  test('that finds another’s write is none any more', async () => {
    const server = serverWith(nobody);
    const { election, next } = await stand(server);
    server.set(other);
    await next();
    expect(election.isLeader()).toBe(false);
    expect(server.lease?.spec).toEqual(other);
  });

  test('whose Lease is deleted is none any more', async () => {
    const server = serverWith(nobody);
    const { election, next } = await stand(server);
    server.lease = undefined;
    await next();
    expect(election.isLeader()).toBe(false);
    expect(server.lease).toBeUndefined();
  });

  test('that does not hear that it has become one finds out', async () => {
    const server = serverWith(nobody);
    server.after = ({ method }) => {
      if (method === 'PUT') away();
    };
    const { election, next } = await stand(server);
    expect(server.writes).toHaveLength(1);
    expect(election.isLeader()).toBe(false);
    server.after = () => {};
    await next();
    expect(election.isLeader()).toBe(true);
  });

  test('gives the Lease back when it ends, and is none from the first moment on', async () => {
    const server = serverWith(nobody);
    const { election, controller } = await stand(server);
    controller.abort();
    expect(election.isLeader()).toBe(false);
    await election.ended;
    expect(server.lease?.spec['holderIdentity']).toBe('');
  });

  test('gives back nothing that is not its own', async () => {
    const server = serverWith(nobody);
    const { election, controller } = await stand(server);
    server.set(other);
    controller.abort();
    await election.ended;
    expect(server.lease?.spec).toEqual(other);
  });
});

test('what is no Lease is said, and nothing is taken', async () => {
  const server = serverWith(nobody);
  server.json = async () => ({ kind: 'Lease' });
  const { election, said } = await stand(server);
  expect(election.isLeader()).toBe(false);
  expect(said).toEqual(['ERR_KUBE_PROTOCOL']);
});
