// Whoever may write into a namespace, and no more than that: a real service account with Kubernetes' own roles for tenants. Nothing
// that it may do lets in an image that the policy of its namespace does not.

import { beforeAll, describe, expect, test } from 'vitest';
import { messageOf, podSpec, strategicMerge } from '../support/admission/pods.ts';
import { makeSigner, type TestSigner } from '../support/admission/signer.ts';
import { type AdmissionCluster, startAdmission, webhookName } from '../support/admission.ts';
import { releaseNamespace } from '../support/helm.ts';
import type { KubeAnswer } from '../support/kube.ts';
import { pushTestImage } from '../support/registry/images.ts';
import { startRegistry } from '../support/registry.ts';
import { until } from '../support/until.ts';

const namespace = 'trading';
const keyMap = 'trust';
const rbac = '/apis/rbac.authorization.k8s.io/v1';
const registration = '/apis/admissionregistration.k8s.io/v1';
const policies = (where: string) =>
  `/apis/security.quantum.io/v1/namespaces/${where}/quantumsecuritypolicies`;
const inNamespace = (resource: string, where = namespace) => `/api/v1/namespaces/${where}/${resource}`;

let cluster: AdmissionCluster;
/** Of whom the policy speaks, and of the tenant itself. */
let [ci, tenant]: [TestSigner, TestSigner] = [] as never;
/** Signed by ci, by the tenant, by nobody. */
let [good, own, bad] = ['', '', ''];

beforeAll(async () => {
  const registry = await startRegistry({ kind: 'ggcr' });
  cluster = await startAdmission({ plainHttp: [registry.host] });
  [ci, tenant] = [await makeSigner('ci'), await makeSigner('tenant')];
  good = (await pushTestImage(registry, { repository: 'app' })).reference;
  own = (await pushTestImage(registry, { repository: 'app' })).reference;
  bad = (await pushTestImage(registry, { repository: 'app' })).reference;
  await ci.sign(good);
  await tenant.sign(own);
  await cluster.createNamespace(namespace);
  await writeKeys(ci);
  const keys = (['ML-DSA-65', 'ECDSA-P256'] as const).map((algorithm) => ({
    algorithm,
    configMapRef: { name: keyMap, key: algorithm, spkiSha256: ci.fingerprints[algorithm] },
  }));
  const authorities = [{ name: 'ci', keysets: [{ name: 'ci-2026', keys }] }];
  await cluster.applyPolicy(namespace, 'images', {
    images: [{ match: [`${registry.host}/**`], authorities }],
  });
  for (const role of ['edit', 'admin']) await makeTenant(role);
});

async function writeKeys({ publicKeys }: TestSigner): Promise<void> {
  await cluster.kube.create(inNamespace('configmaps'), { metadata: { name: keyMap }, data: publicKeys });
}

const tokens = new Map<string, string>();

/** Named as its role. */
async function makeTenant(role: string): Promise<void> {
  const { kube } = cluster;
  await kube.create(inNamespace('serviceaccounts'), { metadata: { name: role } });
  await kube.create(`${rbac}/namespaces/${namespace}/rolebindings`, {
    metadata: { name: role },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [{ kind: 'ServiceAccount', name: role, namespace }],
  });
  tokens.set(role, await kube.tokenFor(namespace, role));
  // The roles for tenants are put together by a controller.
  await until(
    'the rights',
    async () => (await as(role, 'POST', `${inNamespace('pods')}?dryRun=All`, pod('x', good))).status === 201,
  );
}

const pod = (name: string, image: string, metadata: object = {}) => ({
  ...{ metadata: { name, ...metadata }, spec: podSpec(image) },
});

async function as(role: string, method: string, path: string, body?: object): Promise<KubeAnswer> {
  const contentType = method === 'PATCH' ? strategicMerge.contentType : 'application/json';
  const token = tokens.get(role) ?? '';
  return await cluster.kube.request(method, path, body, { token, contentType });
}

/** By the API server itself, before any webhook. */
function expectForbidden(answer: KubeAnswer, what: string): void {
  expect(answer, what).toMatchObject({ status: 403 });
  expect(messageOf(answer), what).toMatch(/is forbidden: User|cannot/);
  expect(messageOf(answer), what).not.toContain('admission webhook');
}

describe.each(['edit', 'admin'])('with the role %s', (role) => {
  test('it runs what is signed, and nothing else', async () => {
    expect(await as(role, 'POST', inNamespace('pods'), pod(`good-${role}`, good))).toMatchObject({
      status: 201,
    });
    for (const image of [own, bad]) {
      expect(await as(role, 'POST', inNamespace('pods'), pod('bad', image))).toMatchObject({ status: 403 });
    }
  });

  test('it neither writes policies, nor reads them', async () => {
    const open = { metadata: { name: 'open' }, spec: { images: [{ match: ['**'], action: 'allow' }] } };
    const object = { apiVersion: 'security.quantum.io/v1', kind: 'QuantumSecurityPolicy', ...open };
    for (const where of [namespace, releaseNamespace]) {
      const name = where === namespace ? 'images' : 'mesh-default';
      const path = `${policies(where)}/${name}`;
      const answers: Record<string, KubeAnswer> = {
        create: await as(role, 'POST', policies(where), object),
        delete: await as(role, 'DELETE', path),
        'delete all': await as(role, 'DELETE', policies(where)),
        edit: await cluster.kube.request(
          'PATCH',
          path,
          { spec: { enforcement: 'audit' } },
          {
            token: tokens.get(role) ?? '',
            contentType: 'application/merge-patch+json',
          },
        ),
        get: await as(role, 'GET', path),
        list: await as(role, 'GET', policies(where)),
      };
      for (const [what, answer] of Object.entries(answers)) expectForbidden(answer, `${what} in ${where}`);
      expect(await cluster.kube.request('GET', path)).toMatchObject({ status: 200 });
    }
    expect(await as(role, 'POST', inNamespace('pods'), pod('bad', bad))).toMatchObject({ status: 403 });
  });

  test('it does not take its namespace out, nor a pod into one that is', async () => {
    const labels = { 'kubernetes.io/metadata.name': 'kube-system', 'trellis.quantum.io/exempt': 'true' };
    const label = await as(role, 'PATCH', `/api/v1/namespaces/${namespace}`, { metadata: { labels } });
    expectForbidden(label, 'label the namespace');
    for (const where of ['kube-system', releaseNamespace, 'default']) {
      expectForbidden(await as(role, 'POST', inNamespace('pods', where), pod('bad', bad)), where);
    }
    // Not even who may: the name of a namespace is what it is.
    const byAdmin = await cluster.kube.request(
      'PATCH',
      `/api/v1/namespaces/${namespace}`,
      { metadata: { labels } },
      strategicMerge,
    );
    expect(messageOf(byAdmin)).not.toContain('forbidden');
    expect(await as(role, 'POST', inNamespace('pods'), pod('bad', bad))).toMatchObject({ status: 403 });
  });

  test('it touches nothing of the webhook', async () => {
    const paths: readonly (readonly [string, string, object?])[] = [
      ['DELETE', `${registration}/validatingwebhookconfigurations/${webhookName}`],
      ['PATCH', `${registration}/mutatingwebhookconfigurations/${webhookName}`, { webhooks: [] }],
      ['GET', inNamespace(`secrets/${webhookName}-certificate`, releaseNamespace)],
      ['PATCH', inNamespace(`services/${webhookName}`, releaseNamespace), { spec: { externalName: 'x' } }],
      ['POST', inNamespace(`serviceaccounts/${webhookName}/token`, releaseNamespace), { spec: {} }],
      ['DELETE', `/apis/apps/v1/namespaces/${releaseNamespace}/deployments/${webhookName}`],
      [
        'PATCH',
        `/apis/coordination.k8s.io/v1/namespaces/${releaseNamespace}/leases/${webhookName}`,
        { spec: {} },
      ],
      [
        'DELETE',
        '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/quantumsecuritypolicies.security.quantum.io',
      ],
    ];
    for (const [method, path, body] of paths)
      expectForbidden(await as(role, method, path, body), `${method} ${path}`);
  });

  test('no label and no annotation takes a pod out of a policy', async () => {
    const labels: readonly object[] = [
      {},
      { app: 'trellis', 'app.kubernetes.io/name': 'trellis', 'app.kubernetes.io/component': 'webhook' },
      { 'kubernetes.io/metadata.name': 'kube-system', 'trellis.quantum.io/exempt': 'true' },
    ];
    for (const each of labels) {
      const answer = await as(
        role,
        'POST',
        inNamespace('pods'),
        pod('bad', bad, { labels: each, annotations: each }),
      );
      expect(answer).toMatchObject({ status: 403 });
    }
  });
});

describe('a label', () => {
  test('decides about no images: who writes such a policy is told', async () => {
    const selector = { matchLabels: { app: 'a' } };
    const spec = { selector, images: [{ match: ['**'], action: 'deny' }] };
    await expect(cluster.applyPolicy(namespace, 'selecting', spec)).rejects.toThrow('could drop the label');
    const encrypted = { selector, postQuantumEncryption: 'required' };
    await expect(cluster.applyPolicy(namespace, 'selecting', encrypted)).rejects.toThrow(
      'could drop the label',
    );
  });

  test('that is dropped does not bring back what is revoked', async () => {
    const digest = good.slice(good.indexOf('@') + 1);
    const revoked = { selector: { matchLabels: { app: 'a' } }, revoked: { digests: [digest] } };
    await cluster.applyPolicy(namespace, 'revoked', revoked);
    const answer = await as('edit', 'POST', inNamespace('pods'), pod('without', good));
    expect(answer).toMatchObject({ status: 403 });
    expect(messageOf(answer)).toContain('is revoked');
    await cluster.deletePolicy(namespace, 'revoked');
  });
});

describe('the keys in a ConfigMap, which it may write', () => {
  const path = () => inNamespace(`configmaps/${keyMap}`);
  const ask = async (image: string) =>
    await as('edit', 'POST', `${inNamespace('pods')}?dryRun=All`, pod('swapped', image));

  test('are swapped for its own: what it signed is not let in, now and after a restart', async () => {
    const swapped = await as('edit', 'PATCH', path(), { data: tenant.publicKeys });
    expect(swapped).toMatchObject({ status: 200 });
    expect(await ask(own)).toMatchObject({ status: 403 });
    const [replica] = cluster.replicas;
    await replica?.program.stop();
    await replica?.program.start();
    await cluster.ready();
    const answer = await until('an answer', async () => {
      const got = await ask(own);
      return !messageOf(got).includes('failed calling webhook') && got;
    });
    expect(answer.status).toBe(503);
    expect(messageOf(answer)).toContain('whoever changed the ConfigMap did not change the policy');
    const { 'ML-DSA-65': one, 'ECDSA-P256': other } = tenant.fingerprints;
    expect(messageOf(answer)).toMatch(new RegExp(`holds key (${one}|${other})`));
    expect(await ask(good)).toMatchObject({ status: 503 });
  });

  test('are gone: nothing is let in', async () => {
    expect(await as('edit', 'DELETE', path())).toMatchObject({ status: 200 });
    for (const image of [own, good]) expect(await ask(image)).toMatchObject({ status: 503 });
    await writeKeys(ci);
    expect(await until('the keys', async () => (await ask(good)).status === 201)).toBe(true);
    expect(await ask(own)).toMatchObject({ status: 403 });
  });
});
