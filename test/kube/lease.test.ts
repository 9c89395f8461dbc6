// Two processes stand for election on a real API server; whatever happens to one, never do both lead.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import type { ElectionTiming } from '../../src/sources/kubernetes/lease/election.ts';
import { onEnd } from '../support/cleanup.ts';
import type { CandidateSettings } from '../support/kube/candidate.ts';
import { type Kube, startKube } from '../support/kube.ts';
import { until } from '../support/until.ts';

const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
const timing: ElectionTiming = { leaseMs: 2_000, renewDeadlineMs: 1_200, retryMs: 200, requestMs: 500 };

let kube: Kube;

beforeAll(async () => {
  kube = await startKube();
});

beforeEach(async () => {
  await kube.request('DELETE', `${leases}/leader`);
  await kube.create(leases, { metadata: { name: 'leader' }, spec: { holderIdentity: '' } });
});

interface Candidate {
  readonly child: ChildProcess;
  /** When it saw that it leads, on the clock of this machine. */
  readonly led: readonly bigint[];
}

function stand(identity: string): Candidate {
  const script = join(import.meta.dirname, '../support/kube/candidate.ts');
  const settings: CandidateSettings = { kubeconfig: kube.kubeconfig, identity, timing };
  const child = spawn(process.execPath, [script, JSON.stringify(settings)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onEnd(() => {
    child.kill('SIGKILL');
    child.kill('SIGCONT');
  });
  const led: bigint[] = [];
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    led.push(...lines.map(BigInt));
  });
  return { child, led };
}

const leads = ({ led }: Candidate) => until('a leader', () => led.length > 0);

/** Each moment at which one leads lies outside of the time from the first to the last at which the other did. */
function expectDisjoint(earlier: Candidate, later: Candidate): void {
  const [last, first] = [earlier.led.at(-1), later.led[0]];
  expect(last).toBeDefined();
  expect(first).toBeDefined();
  expect(last !== undefined && first !== undefined && last < first).toBe(true);
}

test('the second waits, and leads as soon as the first has given the Lease back', async () => {
  const a = stand('a');
  await leads(a);
  const b = stand('b');
  const { spec } = (await kube.request('GET', `${leases}/leader`)).body as {
    spec: { holderIdentity: string; leaseDurationSeconds: number };
  };
  expect(spec).toMatchObject({ holderIdentity: expect.stringMatching(/^a_/), leaseDurationSeconds: 2 });
  // Long enough for several renewals.
  const before = a.led.length;
  await until('the first to lead on', () => a.led.length > before + 1_000);
  expect(b.led).toEqual([]);
  a.child.kill('SIGTERM');
  await once(a.child, 'exit');
  await leads(b);
  expectDisjoint(a, b);
});

test('a leader that is paused is succeeded, and is none when it goes on', async () => {
  const a = stand('a');
  await leads(a);
  const b = stand('b');
  await until('the second to stand', async () => {
    const { body } = await kube.request('GET', `${leases}/leader`);
    return body !== undefined && a.led.length > 200;
  });
  a.child.kill('SIGSTOP');
  await leads(b);
  a.child.kill('SIGCONT');
  const before = b.led.length;
  await until('the second to lead on', () => b.led.length > before + 500);
  expectDisjoint(a, b);
  // And back again.
  b.child.kill('SIGSTOP');
  const count = a.led.length;
  await until('the first to lead again', () => a.led.length > count);
  b.child.kill('SIGCONT');
  const [again, gone] = [a.led[count], b.led.at(-1)];
  await until('the first to lead on', () => a.led.length > count + 500);
  expect(b.led.at(-1)).toBe(gone);
  expect(again !== undefined && gone !== undefined && gone < again).toBe(true);
});

test('a leader that is killed is succeeded', async () => {
  const a = stand('a');
  await leads(a);
  const b = stand('b');
  a.child.kill('SIGKILL');
  await leads(b);
  expectDisjoint(a, b);
});

test('while the API server is away nobody leads for long, and afterwards one does', async () => {
  const [a, b] = [stand('a'), stand('b')];
  const one = await until('a leader', () => [a, b].find(({ led }) => led.length > 0));
  kube.apiServer.pause();
  let seen = -1;
  await until('the leader to step down', async () => {
    const count = one.led.length;
    const still = count === seen;
    seen = count;
    await new Promise((resolve) => setTimeout(resolve, 300));
    return still;
  });
  kube.apiServer.resume();
  await until('a leader', () => a.led.length + b.led.length > seen);
});

test('a Lease that is deleted under its holder is not taken by another at once', async () => {
  const a = stand('a');
  await leads(a);
  const b = stand('b');
  const before = a.led.length;
  await until('both to stand', () => a.led.length > before + 300);
  // What the first knows is frozen, as by a slow network; the second sees that there is no Lease.
  a.child.kill('SIGSTOP');
  await kube.request('DELETE', `${leases}/leader`);
  await leads(b);
  a.child.kill('SIGCONT');
  const count = b.led.length;
  await until('the second to lead on', () => b.led.length > count + 500);
  expectDisjoint(a, b);
});
