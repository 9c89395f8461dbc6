// The clock of the webhook is moved past every expiry, and set back, while everybody else's is right.

import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { defaultCertificateTiming } from '../../src/admission/certificate/timing.ts';
import { defaultTiming } from '../../src/sources/kubernetes/lease/election.ts';
import { type FakeClock, fakeClock } from '../support/admission/fake-clock.ts';
import { Faults, keepAsking } from '../support/admission/load.ts';
import { messageOf, podSpec } from '../support/admission/pods.ts';
import { halves, makeSigner } from '../support/admission/signer.ts';
import { type AdmissionCluster, type Replica, startAdmission, webhookName } from '../support/admission.ts';
import { releaseNamespace } from '../support/helm.ts';
import type { KubeAnswer } from '../support/kube.ts';
import { pushTestImage } from '../support/registry/images.ts';
import { startRegistry } from '../support/registry.ts';
import { until } from '../support/until.ts';

const day = 24 * 3_600_000;
/** A Lease runs out after fifteen seconds; certificates are looked for every ten. */
const patienceMs = 60_000;

let cluster: AdmissionCluster;
let clocks: readonly FakeClock[];
let signed: string;
let unsigned: string;

/** `ending` trusts for two days, `lasting` for ever. */
beforeAll(async () => {
  const registry = await startRegistry({ kind: 'ggcr' });
  const signer = await makeSigner();
  clocks = [await fakeClock(), await fakeClock()];
  cluster = await startAdmission({
    plainHttp: [registry.host],
    replicas: clocks.length,
    env: (replica) => clocks[replica]?.env ?? {},
  });
  const push = async () => (await pushTestImage(registry, { repository: 'app' })).reference;
  [signed, unsigned] = [await push(), await push()];
  await signer.sign(signed);
  const notAfter = new Date(Date.now() + 2 * day).toISOString();
  const keys = halves.map((algorithm) => ({ algorithm, publicKey: signer.publicKeys[algorithm] }));
  for (const [namespace, end] of [
    ['ending', { notAfter }],
    ['lasting', {}],
  ] as const) {
    await cluster.createNamespace(namespace);
    const keysets = [{ name: 'ci-2026', keys, ...end }];
    await cluster.applyPolicy(namespace, 'images', {
      images: [{ match: [`${registry.host}/**`], authorities: [{ name: 'ci', keysets }] }],
    });
  }
}, 120_000);

afterEach(async () => {
  await setAll(0);
});

async function setAll(offsetMs: number): Promise<void> {
  await Promise.all(clocks.map((clock) => clock.set(offsetMs)));
}

async function ask(namespace: 'ending' | 'lasting', image: string): Promise<KubeAnswer> {
  const path = `/api/v1/namespaces/${namespace}/pods?dryRun=All`;
  return await cluster.kube.request('POST', path, { metadata: { name: 'app' }, spec: podSpec(image) });
}

/** Often enough that both replicas are asked. */
async function askBoth(namespace: 'ending' | 'lasting', image: string): Promise<readonly string[]> {
  const answers = await Promise.all(Array.from({ length: 16 }, () => ask(namespace, image)));
  return [...new Set(answers.map((answer) => `${answer.status} ${messageOf(answer)}`))];
}

/** What must hold whatever the time is: whoever asks has an answer of the webhook, and what nobody signed stays out. */
function load() {
  const faults = new Faults();
  const going = keepAsking(4, async (index) => {
    const isSigned = index % 2 === 0;
    const answer = await ask('lasting', isSigned ? signed : unsigned);
    const said = messageOf(answer);
    if (!isSigned && answer.status === 201) faults.add('what nobody signed is admitted');
    if (answer.status !== 201 && !said.includes('denied the request')) faults.add(`${answer.status} ${said}`);
  });
  return {
    end: async () => {
      await going.end();
      return faults.list();
    },
  };
}

/** When the certificate that it shows was made, and when it ends. */
async function shown({ host, port }: Replica): Promise<{ readonly fingerprint: string; readonly end: Date }> {
  const socket = connect({ host, port, rejectUnauthorized: false });
  try {
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    const { fingerprint256, valid_to } = socket.getPeerCertificate();
    return { fingerprint: fingerprint256, end: new Date(valid_to) };
  } finally {
    socket.destroy();
  }
}

async function shownByBoth(): Promise<{ readonly fingerprint: string; readonly end: Date } | undefined> {
  const [one, other] = await Promise.all(cluster.replicas.map(shown));
  return one?.fingerprint === other?.fingerprint ? one : undefined;
}

interface LeaseSpec {
  readonly holderIdentity: string;
  readonly leaseTransitions: number;
}

async function lease(): Promise<LeaseSpec> {
  const path = `/apis/coordination.k8s.io/v1/namespaces/${releaseNamespace}/leases/${webhookName}`;
  const { body } = await cluster.kube.request('GET', path);
  return (body as { readonly spec: LeaseSpec }).spec;
}

test('a keyset counts until its notAfter, for images that were verified before, too', async () => {
  expect(await askBoth('ending', signed)).toEqual(['201 ']);
  await setAll(3 * day);
  const [refusal, ...others] = await askBoth('ending', signed);
  expect(others).toEqual([]);
  expect(refusal).toMatch(/^403 .*its notAfter was .*sign again with the keyset that follows it/);
  expect(await askBoth('lasting', signed)).toEqual(['201 ']);
  await setAll(0);
  expect(await askBoth('ending', signed)).toEqual(['201 ']);
});

test('the serving certificate is renewed when two thirds of its life are over', {
  timeout: 120_000,
}, async () => {
  const before = await until('one certificate', shownByBoth, patienceMs);
  const going = load();
  await setAll(21 * day);
  const after = await until(
    'another one',
    async () => {
      const now = await shownByBoth();
      return now?.fingerprint === before.fingerprint ? undefined : now;
    },
    patienceMs,
  );
  expect(after.end.getTime() - before.end.getTime()).toBeGreaterThan(15 * day);
  expect(await askBoth('lasting', signed)).toEqual(['201 ']);
  await setAll(0);
  expect(await askBoth('lasting', signed)).toEqual(['201 ']);
  expect(await going.end()).toEqual([]);
});

test.each([
  ['past the end of everything, the certificate of the API server included', 1_200 * day],
  ['to before the beginning of everything', -400 * day],
])('moved %s', { timeout: 120_000 }, async (_, offsetMs) => {
  const going = load();
  await setAll(offsetMs);
  // Whoever keeps certificates looks at them at least once.
  await sleep(1.2 * defaultCertificateTiming.pollMs);
  expect((await ask('lasting', unsigned)).status).not.toBe(201);
  if (offsetMs > 0) expect((await ask('ending', signed)).status).not.toBe(201);
  await setAll(0);
  for (const namespace of ['lasting', 'ending'] as const) {
    await until(
      `admissions in ${namespace}`,
      async () => {
        const [answer, ...others] = await askBoth(namespace, signed);
        return answer === '201 ' && others.length === 0;
      },
      patienceMs,
    );
  }
  expect(await going.end()).toEqual([]);
  // Edits arrive.
  await cluster.applyPolicy('ending', 'nothing', { images: [{ match: ['**'], action: 'deny' }] });
  expect(await ask('ending', signed)).toMatchObject({ status: 403 });
  await cluster.deletePolicy('ending', 'nothing');
  expect(await ask('ending', signed)).toMatchObject({ status: 201 });
});

test('replicas whose clocks differ by days: one leads, and goes on leading', {
  timeout: 180_000,
}, async () => {
  const before = await until(
    'a leader',
    async () => {
      const now = await lease();
      return now.holderIdentity === '' ? undefined : now;
    },
    patienceMs,
  );
  const [ahead, behind] = clocks as [FakeClock, FakeClock];
  await ahead.set(2 * day);
  // By less than the age that the certificate of the API server claims to have.
  await behind.set(-day / 48);
  await sleep(defaultTiming.leaseMs + 2 * defaultTiming.retryMs);
  expect(await lease()).toMatchObject({
    holderIdentity: before.holderIdentity,
    leaseTransitions: before.leaseTransitions,
  });
  const leader = Number(/^webhook-(\d)_/.exec(before.holderIdentity)?.[1]);
  await cluster.replicas[leader]?.program.kill();
  await until(
    'the other one',
    async () => (await lease()).holderIdentity.startsWith(`webhook-${1 - leader}_`),
    patienceMs,
  );
});
