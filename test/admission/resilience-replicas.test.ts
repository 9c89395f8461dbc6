// Two replicas: one dies, one is told to go, both get another certificate, and all the while somebody asks. What a replica that died owed
// an answer for is refused, and admitted when it is asked for again; nothing else is.

import { connect } from 'node:tls';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Faults, keepAsking } from '../support/admission/load.ts';
import { type Case, faultOf, type Mixture, makeMixture } from '../support/admission/mixture.ts';
import { messageOf, podSpec } from '../support/admission/pods.ts';
import { type RegistryFront, startRegistryFront } from '../support/admission/registry-front.ts';
import { type AdmissionCluster, type Replica, startAdmission, webhookName } from '../support/admission.ts';
import { releaseNamespace } from '../support/helm.ts';
import type { KubeAnswer } from '../support/kube.ts';
import { startRegistry } from '../support/registry.ts';
import { until } from '../support/until.ts';

const parallel = 20;
/** No more than a replica looks at for one namespace and registry. */
const lateQuestions = 5;
/** Answers that make a while. */
const answersMeanwhile = 400;
/** A Lease runs out after fifteen seconds; certificates are looked for every ten. */
const patienceMs = 60_000;

let cluster: AdmissionCluster;
let front: RegistryFront;
let mixture: Mixture;

beforeAll(async () => {
  front = await startRegistryFront(await startRegistry({ kind: 'ggcr' }));
  cluster = await startAdmission({ plainHttp: [front.host], replicas: 2 });
  mixture = await makeMixture(cluster, front, 4);
}, 120_000);

/** Whatever the test before has left behind. */
beforeEach(async () => {
  front.intercept(undefined);
  for (const [index, { program }] of cluster.replicas.entries()) {
    if (program.hasEnded()) await program.start();
    cluster.road.restore(index);
  }
  await cluster.ready();
});

/** Nobody answered: the API server refuses, as the configuration says, and whoever asked asks again. */
function wasLost(answer: KubeAnswer): boolean {
  return answer.status === 500 && messageOf(answer).includes('failed calling webhook');
}

/** The mutating webhook was not reached, and the other one was. */
function wasNotPinned(each: Case, answer: KubeAnswer): boolean {
  return each.needsPinning === true && messageOf(answer).includes('named by a tag');
}

interface Load {
  aWhile(): Promise<void>;
  /** How many calls had no answer. */
  lost(): number;
  /** Verdicts that were wrong. */
  end(): Promise<readonly string[]>;
}

function load(): Load {
  const faults = new Faults();
  let lost = 0;
  const going = keepAsking(parallel, async (index) => {
    const each = mixture.cases[index % mixture.cases.length] as Case;
    for (;;) {
      const answer = await mixture.ask(each, `asked-${index}`);
      if (wasLost(answer) || wasNotPinned(each, answer)) {
        lost++;
        continue;
      }
      const fault = faultOf(each, answer);
      if (fault !== undefined) faults.add(fault);
      return;
    }
  });
  return {
    aWhile: async () => {
      const goal = going.asked() + answersMeanwhile;
      await until('answers', () => going.asked() >= goal, patienceMs);
    },
    lost: () => lost,
    end: async () => {
      await going.end();
      return faults.list();
    },
  };
}

/** Of the certificate that it shows. */
async function fingerprint({ host, port }: Replica): Promise<string> {
  const socket = connect({ host, port, rejectUnauthorized: false });
  try {
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    return socket.getPeerCertificate().fingerprint256;
  } finally {
    socket.destroy();
  }
}

const fingerprints = () => Promise.all(cluster.replicas.map(fingerprint));

/** Which replica holds the Lease; undefined while none does. */
async function holder(): Promise<Replica | undefined> {
  const path = `/apis/coordination.k8s.io/v1/namespaces/${releaseNamespace}/leases/${webhookName}`;
  const { body } = await cluster.kube.request('GET', path);
  const { spec } = body as { readonly spec?: { readonly holderIdentity?: string } };
  const match = /^webhook-(\d)_/.exec(spec?.holderIdentity ?? '');
  return match === null ? undefined : cluster.replicas[Number(match[1])];
}

const secret = `/api/v1/namespaces/${releaseNamespace}/secrets/${webhookName}-certificate`;

/** Of the Secret; `undefined` takes a name out. */
async function changeSecret(data: Readonly<Record<string, null>> | null): Promise<void> {
  const contentType = 'application/merge-patch+json';
  const { status } = await cluster.kube.request('PATCH', secret, { data }, { contentType });
  expect(status).toBe(200);
}

async function trustedCas(): Promise<number> {
  const path = `/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/${webhookName}`;
  const { body } = await cluster.kube.request('GET', path);
  const { webhooks } = body as { webhooks: readonly { clientConfig: { caBundle: string } }[] };
  const bundle = Buffer.from(webhooks[0]?.clientConfig.caBundle ?? '', 'base64').toString();
  return bundle.split('BEGIN CERTIFICATE').length - 1;
}

test('both show the same certificate', async () => {
  const [one, other] = await fingerprints();
  expect(other).toBe(one);
});

test('the one that leads is killed: nothing is decided wrongly, and the other one leads', {
  timeout: 150_000,
}, async () => {
  const dying = await until('a leader', holder, patienceMs);
  const index = cluster.replicas.indexOf(dying);
  const [certificate] = await fingerprints();
  const going = load();
  await going.aWhile();
  await dying.program.kill();
  await going.aWhile();
  // As endpoints do when a probe has failed.
  cluster.road.withdraw(index);
  await until('another leader', async () => (await holder()) !== dying, patienceMs);
  const lost = going.lost();
  await going.aWhile();
  expect(going.lost()).toBe(lost);

  await dying.program.start();
  await cluster.ready();
  cluster.road.restore(index);
  await going.aWhile();
  expect(await going.end()).toEqual([]);
  expect(going.lost()).toBe(lost);
  expect(await fingerprints()).toEqual([certificate, certificate]);
});

test('one is told to end: whatever it was asked is answered', { timeout: 120_000 }, async () => {
  const [, ending] = cluster.replicas as [Replica, Replica];
  const going = load();
  await going.aWhile();
  // Questions that take longer than everything else.
  const fresh = await Promise.all(
    Array.from({ length: lateQuestions }, () => front.push({ repository: 'trading/late' })),
  );
  let waiting = 0;
  const answer = Promise.withResolvers<undefined>();
  front.intercept(async ({ path }) => {
    if (!path.includes('trading/late')) return undefined;
    waiting++;
    return await answer.promise;
  });
  const late = fresh.map(({ reference }) =>
    cluster.kube.request('POST', '/api/v1/namespaces/trading/pods?dryRun=All', {
      metadata: { name: 'late' },
      spec: podSpec(reference),
    }),
  );
  await until('questions under way', () => waiting >= fresh.length);

  // What Kubernetes does first: no new connections, then time for that to be known, then the signal.
  cluster.road.withdraw(1);
  process.kill(ending.program.pid, 'SIGTERM');
  await until('its word', async () => (await ending.program.log()).includes('"msg":"stopping"'));
  await until('it to be out of service', async () => !(await ending.isReady()));
  answer.resolve(undefined);
  for (const each of await Promise.all(late)) {
    expect(each).toMatchObject({ status: 403 });
    expect(messageOf(each)).toContain('does not satisfy');
  }
  await until('its end', () => ending.program.hasEnded());
  await going.aWhile();
  expect(await going.end()).toEqual([]);
  expect(going.lost()).toBe(0);
});

describe('another certificate, while somebody asks all the time', () => {
  test('a leaf that got lost is made anew, and both serve it', { timeout: 120_000 }, async () => {
    const [before] = await fingerprints();
    const going = load();
    await changeSecret({ 'tls.crt': null, 'tls.key': null });
    await until(
      'the new one at both',
      async () => {
        const [one, other] = await fingerprints();
        return one !== before && one === other;
      },
      patienceMs,
    );
    await going.aWhile();
    expect(await going.end()).toEqual([]);
    expect(going.lost()).toBe(0);
  });

  // That it comes into use after ten minutes is in test/kube/certificate.test.ts, where minutes pass sooner.
  test('another CA is made known before anything needs it', { timeout: 120_000 }, async () => {
    expect(await trustedCas()).toBe(1);
    const going = load();
    await changeSecret(null);
    await until('both to be trusted', async () => (await trustedCas()) === 2, patienceMs);
    await going.aWhile();
    expect(await going.end()).toEqual([]);
    expect(going.lost()).toBe(0);
    const [one, other] = await fingerprints();
    expect(other).toBe(one);
  });
});
