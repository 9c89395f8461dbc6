// The Kubernetes source reads from a real API server what the file source reads from a directory, and nothing that happens to the
// API server makes it lose a change.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { buildMeshState } from '../../src/model/build.ts';
import { type Kube, startKube } from '../support/kube.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';
import {
  inParallel,
  meshOptions,
  quantumService,
  quantumServices,
  startSource,
  untilEqual,
} from './support.ts';

let kube: Kube;

beforeAll(async () => {
  kube = await startKube();
  await kube.applyCrds();
});

const names = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
const readers = { group: 'rbac.authorization.k8s.io', name: 'trellis-reader' };

/** A token of an account that may get, list and watch what a MeshState is made of. */
async function readerToken(): Promise<string> {
  await kube.create('/api/v1/namespaces/default/serviceaccounts', { metadata: { name: readers.name } });
  const rule = (apiGroups: string[], resources: string[]) => ({
    apiGroups,
    resources,
    verbs: ['list', 'watch'],
  });
  await kube.create('/apis/rbac.authorization.k8s.io/v1/clusterroles', {
    metadata: { name: readers.name },
    rules: [
      rule([''], ['pods', 'services', 'serviceaccounts']),
      rule(['discovery.k8s.io'], ['endpointslices']),
      rule(['quantum.io'], ['quantumservices']),
      rule(['security.quantum.io'], ['quantumsecuritypolicies']),
    ],
  });
  await kube.create('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: readers.name },
    roleRef: { apiGroup: readers.group, kind: 'ClusterRole', name: readers.name },
    subjects: [{ kind: 'ServiceAccount', namespace: 'default', name: readers.name }],
  });
  return await kube.tokenFor('default', readers.name);
}

interface Example {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: { readonly containers?: readonly object[]; readonly clusterIP?: string };
  readonly status?: object;
}

async function exampleObjects(): Promise<readonly Example[]> {
  const directory = join(import.meta.dirname, '../../examples/quantum-trader');
  const files = (await readdir(directory, { recursive: true })).filter((name) => name.endsWith('.yaml'));
  const texts = await Promise.all(files.map((name) => readFile(join(directory, name), 'utf8')));
  // On one machine its pods live on loopback, which no API server believes.
  return texts
    .map((text) => text.replaceAll('127.77.', '10.77.'))
    .flatMap((text) => [...parseAllDocuments(text)])
    .map((document) => document.toJS() as Example);
}

test('the example, applied by kubectl and read by an account that may do nothing else', async () => {
  const { source } = await startSource(kube, { token: await readerToken() });
  const objects = await exampleObjects();
  const namespaces = new Set(objects.map(({ metadata }) => metadata.namespace));
  for (const name of namespaces) await kube.create('/api/v1/namespaces', { metadata: { name } });
  // Cluster IPs are the API server's to give, and the kubelet is who says that a pod runs and where.
  const sent = objects.map((object) => {
    if (object.kind !== 'Service' || object.spec.clusterIP === 'None') return object;
    const { clusterIP, ...spec } = object.spec;
    return { ...object, spec };
  });
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: sent });
  const applied = await kube.kubectl(['apply', '-f', '-'], { stdin: list });
  expect(applied).toMatchObject({ status: 0, stderr: '' });
  for (const { kind, metadata, status } of objects) {
    if (kind !== 'Pod') continue;
    const path = `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}/status`;
    const contentType = 'application/merge-patch+json';
    expect(await kube.request('PATCH', path, { status }, { contentType })).toMatchObject({ status: 200 });
  }
  const state = await untilEqual(kube, source);
  const fromFiles = buildMeshState(
    objects.map((content) => ({ content })),
    meshOptions,
  ).state;
  expect(state.policies).toEqual(fromFiles?.policies);
  expect(state.quantumServices).toEqual(fromFiles?.quantumServices);
  const facts = (each: typeof state | undefined) =>
    [...(each?.workloads ?? [])].map(([key, { uid, ...facts }]) => [key, facts]);
  expect(facts(state)).toEqual(facts(fromFiles));
  expect(source.problems().filter(({ severity }) => severity === 'error')).toEqual([]);
  await kube.kubectl(['delete', '--wait=false', '-f', '-'], { stdin: list });
  expect((await untilEqual(kube, source)).policies.size).toBe(0);
});

test('a thousand objects, page by page', async () => {
  await inParallel(names('many', 1_000), (name) => kube.create(quantumServices, quantumService(name)));
  const { source, said } = await startSource(kube, { limits: { pageObjects: 64 } });
  expect((await untilEqual(kube, source)).quantumServices.size).toBeGreaterThanOrEqual(1_000);
  expect(said).toEqual([]);
  await kube.request('DELETE', quantumServices);
  expect((await untilEqual(kube, source)).quantumServices.size).toBe(0);
});

describe('no change is lost', () => {
  test('while API server and etcd are killed and restarted, and 200 objects change', async () => {
    const { source, said } = await startSource(kube);
    const all = names('killed', 200);
    await inParallel(all, (name) => kube.create(quantumServices, quantumService(name)));
    let killed = false;
    const changes = inParallel(all, async (name) => {
      const patch = { spec: { selector: { matchLabels: { app: 'changed' } } } };
      const options = { contentType: 'application/merge-patch+json' };
      await until(`${name} to be changed`, async () => {
        if (name.endsWith('00')) await until('the kill', () => killed);
        const method = name.endsWith('7') ? 'DELETE' : 'PATCH';
        const body = method === 'PATCH' ? patch : undefined;
        const { status } = await kube.request(method, `${quantumServices}/${name}`, body, options);
        return status === 200 || status === 404;
      });
    });
    await kube.apiServer.kill();
    killed = true;
    await kube.etcd.program.kill();
    await kube.etcd.program.start();
    await kube.etcd.ready();
    await kube.apiServer.start();
    await kube.ready();
    await changes;
    const state = await untilEqual(kube, source);
    const left = [...state.quantumServices.values()].filter(({ name }) => name.startsWith('killed-'));
    expect(left).toHaveLength(180);
    expect(said).toContain('QuantumService ERR_KUBE_UNREACHABLE');
    await until('recovery', () => source.health().resources.every(({ failing }) => failing === undefined));
    await kube.request('DELETE', quantumServices);
  });

  test('by a connection that breaks, which is taken up without a list', async () => {
    const proxy = await startTcpProxy(kube.host, kube.port);
    const { source, said } = await startSource(kube, { port: proxy.port });
    const lists = () => source.health().resources.map((resource) => resource.lists);
    proxy.cut();
    await inParallel(names('cut', 20), (name) => kube.create(quantumServices, quantumService(name)));
    expect(source.current()?.quantumServices.has('default/cut-0')).toBe(false);
    proxy.mend();
    await untilEqual(kube, source);
    expect(lists()).toEqual([1, 1, 1, 1, 1, 1]);
    expect(said).toContain('QuantumService ERR_KUBE_UNREACHABLE');
  });

  test('when the API server has forgotten where we were', async () => {
    const proxy = await startTcpProxy(kube.host, kube.port);
    const { source, said } = await startSource(kube, { port: proxy.port });
    await kube.create(quantumServices, quantumService('before'));
    await untilEqual(kube, source);
    proxy.cut();
    await kube.request('DELETE', quantumServices);
    await inParallel(names('forgotten', 30), (name) => kube.create(quantumServices, quantumService(name)));
    await kube.etcd.compact();
    // Its cache of recent changes is in memory, and so begins anew.
    await kube.restart();
    expect(source.current()?.quantumServices.has('default/before')).toBe(true);
    proxy.mend();
    expect((await untilEqual(kube, source)).quantumServices.has('default/before')).toBe(false);
    expect(said).toContain('QuantumService ERR_KUBE_EXPIRED');
  });

  test('by an API server that is silent for longer than its watches may be', async () => {
    const { source, said, messages } = await startSource(kube, {
      limits: { watchSeconds: 1, watchSlackMs: 500, connectMs: 500, requestMs: 1_000 },
    });
    kube.apiServer.pause();
    await until('the watches to be given up', () => {
      const silent = messages.filter((message) => message.includes('not a word'));
      return silent.length === source.health().resources.length;
    });
    expect(source.health().ready).toBe(true);
    kube.apiServer.resume();
    await kube.create(quantumServices, quantumService('after-the-pause'));
    await untilEqual(kube, source);
    await until('recovery', () => source.health().resources.every(({ failing }) => failing === undefined));
    expect(said).toContain('QuantumService ERR_KUBE_TIMEOUT');
    expect(said).toContain('QuantumService recovered');
  });
});
