// The chart on a real API server, by the real Helm: installed, upgraded, rolled back, uninstalled. Nothing serves the webhook
// here: what happens then is part of what is tested.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { onEnd } from '../support/cleanup.ts';
import { chartDirectory, type Helm, imageValues, releaseNamespace, startHelm } from '../support/helm.ts';
import { untilAccount } from '../support/kube/account.ts';
import { type Kube, startKube } from '../support/kube.ts';
import { until } from '../support/until.ts';

const release = 'trellis';
const name = 'trellis-webhook';
const registration = '/apis/admissionregistration.k8s.io/v1';
const configurations = [
  `${registration}/validatingwebhookconfigurations/${name}`,
  `${registration}/mutatingwebhookconfigurations/${name}`,
];
const inNamespace = (group: string, resource: string, object: string) =>
  `${group}/namespaces/${releaseNamespace}/${resource}/${object}`;
const secretPath = inNamespace('/api/v1', 'secrets', `${name}-certificate`);
const leasePath = inNamespace('/apis/coordination.k8s.io/v1', 'leases', name);
const deploymentPath = inNamespace('/apis/apps/v1', 'deployments', name);

let kube: Kube;
let helm: Helm;
let auditLog: string;

beforeAll(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'trellis-audit-'));
  onEnd(() => rm(directory, { recursive: true, force: true }));
  const policy = join(directory, 'policy.json');
  auditLog = join(directory, 'audit.log');
  const rules = [{ level: 'Metadata', verbs: ['delete'] }, { level: 'None' }];
  await writeFile(policy, JSON.stringify({ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules }));
  kube = await startKube({
    controllerManager: true,
    apiServerArgs: [`--audit-policy-file=${policy}`, `--audit-log-path=${auditLog}`],
  });
  helm = await startHelm(kube.kubeconfig);
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  await kube.create('/api/v1/namespaces', { metadata: { name: releaseNamespace, labels } });
  await kube.create('/api/v1/namespaces', { metadata: { name: 'trading' } });
  await succeed('install');
});

/** In the release's namespace. */
async function run(command: 'install' | 'upgrade', values: object = {}, ...more: readonly string[]) {
  const args = [command, release, chartDirectory, '--namespace', releaseNamespace, ...more];
  return await helm(args, { image: imageValues, ...values });
}

async function succeed(command: 'install' | 'upgrade', values: object = {}, ...more: readonly string[]) {
  const result = await run(command, values, ...more);
  expect(result).toMatchObject({ status: 0, stderr: '' });
}

const get = async <T>(path: string): Promise<T> => {
  const { status, body } = await kube.request('GET', path);
  expect(status, path).toBe(200);
  return body as T;
};

const pod = (podName: string) => ({
  metadata: { name: podName },
  spec: {
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        ...{ name: 'app', image: 'registry.example/app' },
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      },
    ],
  },
});

async function createPod(namespace: string, podName: string) {
  await untilAccount(kube, namespace);
  return await kube.request('POST', `/api/v1/namespaces/${namespace}/pods`, pod(podName));
}

test('everything is there, without a warning from the API server', async () => {
  const { spec } = await get<{ spec: object }>(
    inNamespace('/apis/security.quantum.io/v1', 'quantumsecuritypolicies', 'mesh-default'),
  );
  expect(spec).toMatchObject({ quantumAuthentication: 'enabled' });
  await get(secretPath);
  await get(leasePath);
  const status = await helm(['status', release, '--namespace', releaseNamespace]);
  expect(status.stdout).toContain('judges pods of every namespace but: kube-system, trellis-system.');
  expect(status.stdout).toContain('No sidecar is injected');
});

describe('while the webhook does not answer', () => {
  test('its own pods are made, by the restricted standard, and so is what it needs', async () => {
    const selector = encodeURIComponent('app.kubernetes.io/component=webhook');
    const pods = `/api/v1/namespaces/${releaseNamespace}/pods?labelSelector=${selector}`;
    await until('its pods', async () => (await get<{ items: readonly object[] }>(pods)).items.length === 2);
    expect(await createPod('kube-system', 'dns')).toMatchObject({ status: 201 });
  });

  test('others are refused, with the name of who is missing', async () => {
    const { status, body } = await createPod('trading', 'app');
    expect([status, JSON.stringify(body)]).toEqual([
      500,
      expect.stringContaining('validate.trellis.quantum.io'),
    ]);
  });

  test('a namespace does not become exempt by the label of another', async () => {
    const labels = { 'kubernetes.io/metadata.name': 'kube-system' };
    const path = '/api/v1/namespaces/trading';
    const contentType = 'application/merge-patch+json';
    await kube.request('PATCH', path, { metadata: { labels } }, { contentType });
    expect((await get<{ metadata: { labels: object } }>(path)).metadata.labels).toEqual({
      'kubernetes.io/metadata.name': 'trading',
    });
    expect(await createPod('trading', 'spoofed')).toMatchObject({ status: 500 });
  });

  test('scaled to nothing, it still decides, until the next upgrade', async () => {
    const replicas = async () => (await get<{ spec: { replicas: number } }>(deploymentPath)).spec.replicas;
    const scale = ['scale', '-n', releaseNamespace, `deployment/${name}`, '--replicas=0'];
    expect(await kube.kubectl(scale)).toMatchObject({ status: 0 });
    expect(await replicas()).toBe(0);
    for (const path of configurations) await get(path);
    expect(await createPod('trading', 'scaled')).toMatchObject({ status: 500 });
    await succeed('upgrade');
    expect(await replicas()).toBe(2);
  });

  test('an open door that somebody made by hand is named by an upgrade, and closed when it is told to', async () => {
    const patch = JSON.stringify([{ op: 'replace', path: '/webhooks/0/failurePolicy', value: 'Ignore' }]);
    const args = ['patch', 'validatingwebhookconfigurations', name, '--type=json', `--patch=${patch}`];
    expect(await kube.kubectl(args)).toMatchObject({ status: 0 });
    expect(await createPod('trading', 'open')).toMatchObject({ status: 201 });
    expect(await run('upgrade')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/conflict with "kubectl-patch".*failurePolicy/),
    });
    await succeed('upgrade', {}, '--force-conflicts');
    expect(await createPod('trading', 'closed')).toMatchObject({ status: 500 });
  });
});

interface Configuration {
  readonly webhooks: readonly {
    readonly timeoutSeconds: number;
    readonly clientConfig: { readonly caBundle?: string };
  }[];
}

const timeoutSeconds = async () => {
  const all = await Promise.all(configurations.map((path) => get<Configuration>(path)));
  return all.map(({ webhooks }) => webhooks[0]?.timeoutSeconds);
};
const bundles = async () => {
  const all = await Promise.all(configurations.map((path) => get<Configuration>(path)));
  return all.map(({ webhooks }) => webhooks[0]?.clientConfig.caBundle);
};
const encoded = (pem: string) => Buffer.from(pem).toString('base64');

/** As the leader does it, with the rights that the chart gives. */
async function writeAsLeader(caBundle: string): Promise<void> {
  const own = { token: await kube.tokenFor(releaseNamespace, name) };
  const replace = async (path: string, fields: object) => {
    const body = { ...(await get<object>(path)), ...fields };
    expect(await kube.request('PUT', path, body, own)).toMatchObject({ status: 200 });
  };
  await replace(leasePath, { spec: { holderIdentity: 'replica', leaseDurationSeconds: 15 } });
  await replace(secretPath, { data: { 'tls.crt': 'YQ==', 'tls.key': 'Yg==' } });
  for (const path of configurations) {
    const { webhooks } = await get<{ webhooks: readonly { name: string }[] }>(path);
    const patch = {
      webhooks: webhooks.map((webhook) => ({ name: webhook.name, clientConfig: { caBundle } })),
    };
    const options = { ...own, contentType: 'application/strategic-merge-patch+json' };
    const answer = await kube.request('PATCH', `${path}?fieldManager=${name}`, patch, options);
    expect(answer).toMatchObject({ status: 200 });
  }
}

const written = async () => ({
  data: (await get<{ data: object }>(secretPath)).data,
  holder: (await get<{ spec: { holderIdentity: string } }>(leasePath)).spec.holderIdentity,
  bundles: await bundles(),
});

describe('what the webhook has written', () => {
  test.each([
    ['on the server', '--server-side=true'],
    ['on the server, with force', '--force-conflicts'],
    ['by the client', '--server-side=false'],
  ])('stays when the release is upgraded %s, and rolled back', async (_, option) => {
    await writeAsLeader(encoded(kube.ca));
    const before = await written();
    expect(before).toEqual({
      ...{ data: { 'tls.crt': 'YQ==', 'tls.key': 'Yg==' }, holder: 'replica' },
      bundles: [encoded(kube.ca), encoded(kube.ca)],
    });
    await succeed('upgrade');
    await succeed('upgrade', { webhook: { timeoutSeconds: 5, replicas: 3 } }, option);
    expect(await timeoutSeconds()).toEqual([5, 5]);
    expect(await written()).toEqual(before);
    const back = await helm(['rollback', release, '--namespace', releaseNamespace]);
    expect(back).toMatchObject({ status: 0, stderr: '' });
    expect(await timeoutSeconds()).toEqual([10, 10]);
    expect(await written()).toEqual(before);
  });

  test('gives way to the user’s own certificate by force only, and comes back with it', async () => {
    await writeAsLeader(encoded(kube.ca));
    const theirs = `${kube.ca}${kube.ca}`;
    const certificate = { mode: 'provided', provided: { secretName: 'own', caBundle: theirs } };
    const refused = await run('upgrade', { webhook: { certificate } });
    expect(refused).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/conflict with "trellis-webhook".*caBundle/),
    });
    expect(await bundles()).toEqual([encoded(kube.ca), encoded(kube.ca)]);
    await succeed('upgrade', { webhook: { certificate } }, '--force-conflicts');
    expect(await bundles()).toEqual([encoded(theirs), encoded(theirs)]);
    // The leader of before cannot put its own back.
    const token = await kube.tokenFor(releaseNamespace, name);
    const contentType = 'application/merge-patch+json';
    for (const path of configurations) {
      expect(await kube.request('PATCH', path, {}, { token, contentType })).toMatchObject({ status: 403 });
    }
    await succeed('upgrade');
    expect(await bundles()).toEqual([undefined, undefined]);
    await writeAsLeader(encoded(kube.ca));
    expect(await bundles()).toEqual([encoded(kube.ca), encoded(kube.ca)]);
  });

  test('comes back empty when it was deleted', async () => {
    for (const path of [secretPath, leasePath]) await kube.request('DELETE', path);
    await succeed('upgrade', {}, '--force-conflicts');
    expect(await get<object>(secretPath)).not.toHaveProperty('data');
    await get(leasePath);
  });
});

test('a policy of the cluster keeps its author’s words when the chart does not write one', async () => {
  const path = inNamespace('/apis/security.quantum.io/v1', 'quantumsecuritypolicies', 'mesh-default');
  await succeed('upgrade', { defaultPolicy: { create: false } });
  expect(await kube.request('GET', path)).toMatchObject({ status: 404 });
  const spec = { enforcement: 'warn', quantumAuthentication: 'hybrid' };
  const own = {
    apiVersion: 'security.quantum.io/v1',
    kind: 'QuantumSecurityPolicy',
    metadata: { name: 'mesh-default' },
  };
  await kube.create(path.replace(/\/[^/]+$/, ''), { ...own, spec });
  await succeed('upgrade', { defaultPolicy: { create: false }, webhook: { timeoutSeconds: 7 } });
  expect(await get(path)).toMatchObject({ spec });
  // Helm takes nothing over that it did not make.
  expect(await run('upgrade')).toMatchObject({ status: 1, stderr: expect.stringContaining('mesh-default') });
  await kube.request('DELETE', path);
});

test('definitions, which an upgrade leaves alone, are brought up to date by kubectl', async () => {
  const file = join(chartDirectory, 'crds/QuantumService.yaml');
  const newer = (await readFile(file, 'utf8')).replace(
    'What the mesh should know',
    'All that the mesh knows',
  );
  const apply = async (filename: string, stdin = '') => {
    const args = ['apply', '--server-side', '--force-conflicts', '--filename', filename];
    expect(await kube.kubectl(args, { stdin })).toMatchObject({ status: 0, stderr: '' });
  };
  await apply('-', newer);
  await succeed('upgrade');
  const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const definition = await get<object>(`${definitions}/quantumservices.quantum.io`);
  expect(JSON.stringify(definition)).toContain('All that the mesh knows');
  await apply(join(chartDirectory, 'crds'));
});

test('other values, all of them, and a second release beside the first', async () => {
  const second = await helm(['install', 'second', chartDirectory, '--namespace', 'trading'], {
    image: imageValues,
  });
  expect(second).toMatchObject({ status: 1, stderr: expect.stringContaining('cannot be imported') });
  await succeed('upgrade', {
    controlPlane: { enabled: true },
    networkPolicy: { enabled: true, from: [{ ipBlock: { cidr: '10.0.0.0/28' } }] },
    webhook: { registries: { ca: kube.ca }, pullSecrets: { namespaces: ['trading'] } },
  });
  await get(inNamespace('/apis/networking.k8s.io/v1', 'networkpolicies', name));
});

interface Deletion {
  readonly stage: string;
  readonly objectRef: { readonly resource: string; readonly name: string };
  readonly userAgent?: string;
}

test('an uninstallation removes the webhook configurations before anything else, and lets new pods in at once', async () => {
  await succeed('upgrade', { controlPlane: { enabled: true } });
  const before = (await readFile(auditLog)).length;
  const result = await helm(['uninstall', release, '--namespace', releaseNamespace]);
  expect(result).toMatchObject({ status: 0 });
  const deleted = await until('the last of it', async () => {
    const lines = (await readFile(auditLog)).subarray(before).toString().trim().split('\n');
    const events = lines.map((line) => JSON.parse(line) as Deletion);
    const last = events.filter(
      ({ userAgent, stage }) => userAgent?.startsWith('Helm/') === true && stage === 'ResponseComplete',
    );
    // That it was installed is the last thing Helm forgets.
    const names = last.map(({ objectRef }) => `${objectRef.resource}/${objectRef.name}`);
    return names.some((each) => each.startsWith('secrets/sh.helm.release')) && names;
  });
  expect(deleted.slice(0, 2)).toEqual([
    `validatingwebhookconfigurations/${name}`,
    `mutatingwebhookconfigurations/${name}`,
  ]);
  expect(deleted.indexOf(`deployments/${name}`)).toBeGreaterThan(1);
  for (const path of configurations) expect(await kube.request('GET', path)).toMatchObject({ status: 404 });
  expect(await createPod('trading', 'free')).toMatchObject({ status: 201 });
  // What stays: the CA of the mesh, and the definitions with everybody's policies.
  await get(inNamespace('/api/v1', 'persistentvolumeclaims', 'trellis-control-plane'));
  await get('/apis/security.quantum.io/v1/quantumsecuritypolicies');
});

test('and it can be installed again', async () => {
  await succeed('install', {
    controlPlane: { enabled: true, storage: { existingClaim: 'trellis-control-plane' } },
  });
});
