// What time and loss do to a cluster that judges its pods: keys are rotated while pods run, and everything may be down at once. Running
// pods are let go on, nothing unjudged comes in, and a cold cluster comes up by itself.

import { beforeAll, describe, expect, test } from 'vitest';
import { type AuditLog, auditAnnotation, makeAuditLog } from '../support/admission/audit-log.ts';
import { jsonMerge, messageOf, podPath, podSpec, strategicMerge } from '../support/admission/pods.ts';
import { type RegistryFront, startRegistryFront } from '../support/admission/registry-front.ts';
import { makeSigner, type TestSigner } from '../support/admission/signer.ts';
import { type AdmissionCluster, startAdmission, webhookName } from '../support/admission.ts';
import { releaseNamespace } from '../support/helm.ts';
import { startRegistry } from '../support/registry.ts';
import { until } from '../support/until.ts';

/** A controller that was refused waits longer each time before it tries again. */
const controllerPatienceMs = 45_000;
/** Several of those, one after the other. */
const coldStartMs = 240_000;

let cluster: AdmissionCluster;
let audit: AuditLog;
let front: RegistryFront;
let [ci, next]: [TestSigner, TestSigner] = [] as never;

beforeAll(async () => {
  front = await startRegistryFront(await startRegistry({ kind: 'ggcr' }));
  audit = await makeAuditLog();
  cluster = await startAdmission({ plainHttp: [front.host], kube: { apiServerArgs: audit.apiServerArgs } });
  [ci, next] = [await makeSigner('ci'), await makeSigner('next')];
  for (const namespace of ['trading', 'cold']) await cluster.createNamespace(namespace);
});

const signedBy = (...signers: readonly TestSigner[]) => ({
  images: [
    { match: [`${front.host}/**`], authorities: signers.map((signer) => signer.authority()) },
    { match: ['base.example/**'], action: 'allow' },
  ],
});

async function signed(signer: TestSigner, repository: string): Promise<string> {
  const { reference } = await front.push({ repository });
  await signer.sign(reference);
  return reference;
}

describe('a pod that runs, whose key was rotated', () => {
  const path = podPath('trading', 'running');
  let old: string;

  const patch = async (body: object, contentType = jsonMerge) =>
    await cluster.kube.request('PATCH', path, body, contentType);
  const unchanged = async () =>
    (await cluster.replicas[0]?.metrics())?.get(
      'trellis_admission_requests_total{webhook="validate",kind="Pod",result="unchanged"}',
    ) ?? 0;

  beforeAll(async () => {
    old = await signed(ci, 'app');
    await cluster.applyPolicy('trading', 'images', signedBy(ci));
    const metadata = { finalizers: ['test.example/wait'] };
    expect(await cluster.createPod('trading', 'running', podSpec(old), metadata)).toMatchObject({
      status: 201,
    });
    await cluster.applyPolicy('trading', 'images', signedBy(next));
  });

  test('is not stuck: labels, annotations and finalizers change, and that is written down', async () => {
    const before = await unchanged();
    const metadata = { labels: { a: 'b' }, annotations: { c: 'd' } };
    expect(await patch({ metadata })).toMatchObject({ status: 200 });
    const added = { metadata: { finalizers: ['test.example/wait', 'test.example/other'] } };
    expect(await patch(added)).toMatchObject({ status: 200 });
    expect(await unchanged()).toBe(before + 2);
    const entries = (await audit.ofPod('trading', 'running')).filter(({ verb }) => verb === 'patch');
    expect(entries.map((entry) => auditAnnotation(entry, 'decision'))).toEqual(['unchanged', 'unchanged']);
  });

  test('gets no other image of that key, nor does a new pod', async () => {
    const other = await signed(ci, 'app');
    const change = { spec: { containers: [{ name: 'app', image: other }] } };
    expect(await patch(change, strategicMerge)).toMatchObject({ status: 403 });
    expect(await cluster.createPod('trading', 'new', podSpec(old))).toMatchObject({ status: 403 });
    const debug = { spec: { ephemeralContainers: [{ name: 'debug', image: old }] } };
    const answer = await cluster.kube.request('PATCH', `${path}/ephemeralcontainers`, debug, strategicMerge);
    expect(answer).toMatchObject({ status: 403 });
  });

  test('gets one of the new key, beside the old one', async () => {
    const debug = { spec: { ephemeralContainers: [{ name: 'debug', image: await signed(next, 'debug') }] } };
    const answer = await cluster.kube.request('PATCH', `${path}/ephemeralcontainers`, debug, strategicMerge);
    expect(answer).toMatchObject({ status: 200 });
  });

  test('ends when it is told to', async () => {
    await cluster.kube.request('DELETE', path, { gracePeriodSeconds: 0 });
    expect(await patch({ metadata: { finalizers: null } })).toMatchObject({ status: 200 });
    expect((await cluster.kube.request('GET', path)).status).toBe(404);
  });
});

describe('a registry that is away', () => {
  test('what is known is let in, the rest is not, and it is said why', async () => {
    await cluster.applyPolicy('trading', 'images', signedBy(ci));
    const [known, other] = [await signed(ci, 'known'), await signed(ci, 'other')];
    expect(await cluster.createPod('trading', 'known-1', podSpec(known))).toMatchObject({ status: 201 });
    front.intercept(async () => {
      throw new Error('away');
    });
    expect(await cluster.createPod('trading', 'known-2', podSpec(known))).toMatchObject({ status: 201 });
    const answer = await cluster.createPod('trading', 'other', podSpec(other));
    expect(answer).toMatchObject({ status: 503 });
    expect(messageOf(answer)).toContain('this says nothing about the image');
    front.intercept(undefined);
    expect(await cluster.createPod('trading', 'other', podSpec(other))).toMatchObject({ status: 201 });
  });
});

describe('a cold cluster: no pod is left, the webhook is down, its registry is away', () => {
  const names = { base: 'base', signed: 'signed' };
  const pods = (namespace: string) => `/api/v1/namespaces/${namespace}/pods`;
  const deployment = (name: string) => `/apis/apps/v1/namespaces/cold/deployments/${name}`;

  async function podsOf(namespace: string, app: string): Promise<number> {
    const { body } = await cluster.kube.request('GET', `${pods(namespace)}?labelSelector=${app}`);
    return (body as { readonly items: readonly unknown[] }).items.length;
  }

  async function deploy(namespace: string, name: string, image: string): Promise<void> {
    const labels = { app: name };
    await cluster.kube.create(`/apis/apps/v1/namespaces/${namespace}/deployments`, {
      metadata: { name },
      spec: {
        replicas: 2,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: podSpec(image) },
      },
    });
  }

  /** Wakes the controllers, as time would. */
  async function untilPods(namespace: string, app: string, count: number): Promise<void> {
    let turn = 0;
    await until(
      `${count} pods of ${app}`,
      async () => {
        if ((await podsOf(namespace, app)) === count) return true;
        turn += 1;
        if (turn % 50 !== 0) return false;
        const sets = `/apis/apps/v1/namespaces/${namespace}/replicasets`;
        const { body } = await cluster.kube.request('GET', `${sets}?labelSelector=${app}`);
        for (const { metadata } of (body as { readonly items: readonly { metadata: { name: string } }[] })
          .items) {
          const annotations = { woken: String(turn) };
          await cluster.kube.request(
            'PATCH',
            `${sets}/${metadata.name}`,
            { metadata: { annotations } },
            jsonMerge,
          );
        }
        return false;
      },
      controllerPatienceMs,
    );
  }

  test(
    'comes up again, by itself, and lets nothing in on the way',
    async () => {
      const { kube } = cluster;
      const ours = 'app.kubernetes.io/component=webhook';
      await cluster.applyPolicy('cold', 'images', signedBy(ci));
      await deploy('kube-system', 'dns', 'base.example/dns:1');
      await deploy('cold', names.base, 'base.example/base:1');
      await deploy('cold', names.signed, await signed(ci, 'signed'));
      await untilPods('kube-system', 'app=dns', 2);
      await untilPods(releaseNamespace, ours, 2);
      await untilPods('cold', 'app=base', 2);
      await untilPods('cold', 'app=signed', 2);

      const [replica] = cluster.replicas;
      await replica?.program.kill();
      front.intercept(async () => {
        throw new Error('away');
      });
      for (const namespace of ['kube-system', releaseNamespace, 'cold', 'trading']) {
        const gone = await kube.kubectl([
          'delete',
          'pods',
          '--all',
          '-n',
          namespace,
          '--force',
          '--grace-period=0',
        ]);
        expect(gone.status, gone.stderr).toBe(0);
      }
      // What must start first, starts.
      await untilPods('kube-system', 'app=dns', 2);
      await untilPods(releaseNamespace, ours, 2);
      // Nobody judges, and so nobody is let in.
      const refused = await cluster.createPod('cold', 'unjudged', podSpec('base.example/base:1'));
      expect(messageOf(refused)).toContain('failed calling webhook "validate.trellis.quantum.io"');
      expect(await podsOf('cold', 'app=base')).toBe(0);
      expect(await podsOf('cold', 'app=signed')).toBe(0);
      const configuration = `/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/${webhookName}`;
      expect((await kube.request('GET', configuration)).status).toBe(200);

      await replica?.program.start();
      await cluster.ready();
      // What needs no registry does not wait for one; the registry may be among it.
      await untilPods('cold', 'app=base', 2);
      const unknown = await cluster.createPod(
        'cold',
        'unknown',
        podSpec(`${front.host}/app@sha256:${'a'.repeat(64)}`),
      );
      expect(unknown).toMatchObject({ status: 503 });
      expect(await podsOf('cold', 'app=signed')).toBe(0);
      const { body } = await kube.request('GET', deployment(names.signed));
      expect(JSON.stringify(body)).toContain('ReplicaFailure');

      front.intercept(undefined);
      await untilPods('cold', 'app=signed', 2);
      expect(
        await cluster.createPod('cold', 'bad', podSpec((await front.push({ repository: 'bad' })).reference)),
      ).toMatchObject({ status: 403 });
    },
    coldStartMs,
  );
});
