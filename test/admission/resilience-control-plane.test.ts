// The API server or its store is away for as long as it takes, and admissions are asked for all the time: the last good policies stay
// in force, what is known about images stays known, and edits arrive again as soon as there is somebody to bring them.

import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { defaultPullCredentialLimits } from '../../src/admission/pull-credentials/limits.ts';
import { type AskDirectly, directClient } from '../support/admission/direct.ts';
import { Faults, keepAsking } from '../support/admission/load.ts';
import { messageOf, podSpec } from '../support/admission/pods.ts';
import { makeSigner, type TestSigner } from '../support/admission/signer.ts';
import { type AdmissionCluster, type Replica, startAdmission } from '../support/admission.ts';
import type { Kube, KubeAnswer } from '../support/kube.ts';
import { type PushedManifest, pushTestImage } from '../support/registry/images.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { until } from '../support/until.ts';

const namespace = 'trading';
/** Answers that make a while; fewer where some are waited for. */
const manyAnswers = 300;
const someAnswers = 30;
/** Then those who pull, and how, are asked for again, and there is nobody who knows. */
const credentialsMs = defaultPullCredentialLimits.lifeMs;
/** Watches come back after pauses of up to ten seconds. */
const patienceMs = 60_000;

let cluster: AdmissionCluster;
let replica: Replica;
let registry: TestRegistry;
let ask: AskDirectly;
/** Whose signatures are asked for at first, and who comes after them. */
let first: TestSigner;
let second: TestSigner;
let byFirst: PushedManifest;
let bySecond: PushedManifest;
let unsigned: PushedManifest;

beforeAll(async () => {
  registry = await startRegistry({ kind: 'ggcr' });
  cluster = await startAdmission({ plainHttp: [registry.host] });
  [replica] = cluster.replicas as [Replica];
  [first, second] = [await makeSigner('first'), await makeSigner('second')];
  const push = () => pushTestImage(registry, { repository: 'app' });
  [byFirst, bySecond, unsigned] = [await push(), await push(), await push()];
  await first.sign(byFirst.reference);
  await second.sign(bySecond.reference);
  await cluster.createNamespace(namespace);
  ask = await directClient(cluster);
});

beforeEach(async () => {
  // What a test before left as it should not, because it failed, is not to fail this one.
  await mendAll(cluster.kube);
  await edit(first, byFirst, bySecond);
}, 130_000);

async function create({ reference }: PushedManifest): Promise<KubeAnswer> {
  const path = `/api/v1/namespaces/${namespace}/pods?dryRun=All`;
  return await cluster.kube.request('POST', path, { metadata: { name: 'app' }, spec: podSpec(reference) });
}

/** As soon as it is possible; resolves when it is in force. */
async function edit(signer: TestSigner, good: PushedManifest, bad: PushedManifest): Promise<void> {
  const manifest = {
    apiVersion: 'security.quantum.io/v1',
    kind: 'QuantumSecurityPolicy',
    metadata: { namespace, name: 'images' },
    spec: { images: [{ match: [`${registry.host}/**`], authorities: [signer.authority()] }] },
  };
  const stdin = JSON.stringify(manifest);
  await until(
    'the edit',
    async () => (await cluster.kube.kubectl(['apply', '-f', '-'], { stdin })).status === 0,
    patienceMs,
  );
  await until(
    'what the edit admits and what it refuses',
    async () => (await create(good)).status === 201 && (await create(bad)).status === 403,
    patienceMs,
  );
}

const isVerdict = ({ status }: KubeAnswer) => status === 201 || status === 403;

/** Through the API server, which may give no answer, or one that is no verdict. */
async function faultThroughApiServer(image: PushedManifest): Promise<string | undefined> {
  const answer = await create(image).catch(() => undefined);
  if (answer === undefined || !isVerdict(answer)) return undefined;
  const isRight = (answer.status === 201) === (image === byFirst);
  return isRight ? undefined : `${answer.status} ${messageOf(answer)}`;
}

async function faultOfWebhook(image: PushedManifest): Promise<string | undefined> {
  const { allowed, message } = await ask(replica, namespace, podSpec(image.reference));
  if (allowed !== (image === byFirst)) return `${allowed ? 'allowed' : 'refused'}: ${message}`;
  return allowed || message.includes(image.reference) ? undefined : `refused without a reason: ${message}`;
}

/** Both ways, until it is ended. */
function load() {
  const faults = new Faults();
  const asking = (way: typeof faultOfWebhook, parallel: number) =>
    keepAsking(parallel, async (index) => {
      const fault = await way([byFirst, bySecond, unsigned][index % 3] as PushedManifest);
      if (fault !== undefined) faults.add(fault);
    });
  const [direct, through] = [asking(faultOfWebhook, 6), asking(faultThroughApiServer, 6)];
  return {
    aWhile: async (answers: number) => {
      const goal = direct.asked() + answers;
      await until('answers', () => direct.asked() >= goal, patienceMs);
    },
    end: async () => {
      await Promise.all([direct.end(), through.end()]);
      return faults.list();
    },
  };
}

async function mendAll({ apiServer, etcd }: Kube): Promise<void> {
  if (etcd.program.hasEnded()) {
    await etcd.program.start();
    await etcd.ready();
  }
  if (apiServer.hasEnded()) await apiServer.start();
  else apiServer.resume();
}

type Outage = readonly [
  name: string,
  begin: (kube: Kube) => void | Promise<void>,
  end: (kube: Kube) => void | Promise<void>,
];

const outages: readonly Outage[] = [
  [
    'the API server is killed, and started again',
    ({ apiServer }) => apiServer.kill(),
    ({ apiServer }) => apiServer.start(),
  ],
  [
    'the API server says nothing for a while',
    ({ apiServer }) => apiServer.pause(),
    ({ apiServer }) => apiServer.resume(),
  ],
  [
    'etcd is away',
    ({ etcd }) => etcd.program.kill(),
    async ({ etcd }) => {
      await etcd.program.start();
      await etcd.ready();
    },
  ],
  [
    'both are killed, and start again with what was stored',
    async ({ apiServer, etcd }) => {
      await apiServer.kill();
      await etcd.program.kill();
    },
    async ({ apiServer, etcd }) => {
      await etcd.program.start();
      await etcd.ready();
      await apiServer.start();
    },
  ],
];

describe.each(outages)('%s', (_, begin, end) => {
  test('what was in force stays so, and the next edit arrives', { timeout: 180_000 }, async () => {
    const going = load();
    await going.aWhile(manyAnswers);
    await begin(cluster.kube);
    try {
      await sleep(credentialsMs);
      await going.aWhile(someAnswers);
      expect(await replica.isReady()).toBe(true);
    } finally {
      await end(cluster.kube);
    }
    await cluster.kube.ready();
    await going.aWhile(manyAnswers);
    expect(await going.end()).toEqual([]);
    await edit(second, bySecond, byFirst);
  });
});
