// Pull secrets and keys in ConfigMaps, read from a real API server by somebody who may do no more than get them.

import { beforeAll, expect, test } from 'vitest';
import { kubeKeySources } from '../../src/admission/pull-credentials/kube-key-sources.ts';
import { kubePullCredentials } from '../../src/admission/pull-credentials/kube-pull-credentials.ts';
import { parseReference } from '../../src/registry/reference.ts';
import { createKubeClient, type KubeClient } from '../../src/sources/kubernetes/cluster/client.ts';
import { defaultLimits } from '../../src/sources/kubernetes/limits.ts';
import { onEnd } from '../support/cleanup.ts';
import { type Kube, startKube } from '../support/kube.ts';

const namespaces = ['trading', 'allowed', 'trellis-system'] as const;
const rbac = 'rbac.authorization.k8s.io/v1';
const account = { kind: 'ServiceAccount', name: 'webhook', namespace: 'trellis-system' };
/** As the chart gives it: no list, and no watch. */
const rules = [{ apiGroups: [''], resources: ['secrets', 'serviceaccounts', 'configmaps'], verbs: ['get'] }];
const { signal } = new AbortController();

let kube: Kube;

beforeAll(async () => {
  kube = await startKube();
  for (const name of namespaces) await kube.create('/api/v1/namespaces', { metadata: { name } });
  const accounts = '/api/v1/namespaces/trellis-system/serviceaccounts';
  for (const name of ['webhook', 'restricted']) await kube.create(accounts, { metadata: { name } });
  await kube.create(`/apis/${rbac}/clusterroles`, { metadata: { name: 'reader' }, rules });
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'reader' };
  await kube.create(`/apis/${rbac}/clusterrolebindings`, {
    ...{ metadata: { name: 'reader' }, roleRef, subjects: [account] },
  });
  await kube.create(`/apis/${rbac}/namespaces/allowed/rolebindings`, {
    ...{ metadata: { name: 'reader' }, roleRef, subjects: [{ ...account, name: 'restricted' }] },
  });
  for (const namespace of ['trading', 'allowed']) {
    await createPullSecret(namespace, 'first', 'https://index.docker.io/v1/');
    await createPullSecret(namespace, 'second', 'registry.example');
    await kube.create(`/api/v1/namespaces/${namespace}/serviceaccounts`, {
      ...{ metadata: { name: 'robot' }, imagePullSecrets: [{ name: 'second' }] },
    });
  }
});

async function createPullSecret(namespace: string, name: string, server: string): Promise<void> {
  const made = await kube.kubectl([
    ...['create', 'secret', 'docker-registry', name, '-n', namespace, `--docker-server=${server}`],
    ...[`--docker-username=${namespace}-${name}`, '--docker-password=hunter2'],
  ]);
  if (made.status !== 0) throw new Error(made.stderr);
}

async function clientOf(name: string): Promise<KubeClient> {
  const token = await kube.tokenFor('trellis-system', name);
  const access = {
    ...{ server: new URL(kube.url), ca: { text: kube.ca }, token: { text: token } },
    ...{ tlsServerName: undefined, client: undefined, namespace: undefined },
  };
  const client = createKubeClient(access, defaultLimits);
  onEnd(() => client.close());
  return client;
}

async function credentialsAs(name: string) {
  const of = kubePullCredentials({
    ...{ client: await clientOf(name), now: () => new Date() },
    limits: { lifeMs: 0 },
  });
  return async (namespace: string, imagePullSecrets: readonly string[], serviceAccountName = 'default') => {
    const got = await of({ namespace, serviceAccountName, imagePullSecrets }, signal);
    const usersOf = async (image: string) => {
      const all = [got.source, ...(got.others ?? [])].map((each) => each(parseReference(image)));
      return (await Promise.all(all)).flatMap((each) => (each?.kind === 'password' ? each.username : []));
    };
    return { ...got, usersOf };
  };
}

test('Secrets that kubectl made, of the pod or of its service account', async () => {
  const credentials = await credentialsAs('webhook');
  const ofPod = await credentials('trading', ['first', 'second', 'no-such-secret']);
  expect(await ofPod.usersOf('nginx')).toEqual(['trading-first']);
  expect(await ofPod.usersOf('registry.example/a')).toEqual(['trading-second']);
  expect(await ofPod.usersOf('elsewhere.example/a')).toEqual([]);
  const ofAccount = await credentials('trading', [], 'robot');
  expect(await ofAccount.usersOf('registry.example/a')).toEqual(['trading-second']);
  expect(await ofAccount.usersOf('nginx')).toEqual([]);
  expect((await credentials('trading', [], 'no-such-account')).scope).toBe('node');
  for (const { hint } of [ofPod, ofAccount]) expect(hint).toBeUndefined();
});

test('a Secret that is changed is another scope', async () => {
  const credentials = await credentialsAs('webhook');
  const before = await credentials('trading', ['second']);
  expect((await credentials('trading', ['second'])).scope).toBe(before.scope);
  const path = '/api/v1/namespaces/trading/secrets/second';
  const contentType = 'application/merge-patch+json';
  const change = { metadata: { labels: { changed: 'yes' } } };
  expect(await kube.request('PATCH', path, change, { contentType })).toMatchObject({ status: 200 });
  expect((await credentials('trading', ['second'])).scope).not.toBe(before.scope);
});

test('where the role is for some namespaces, the others have none, and it is said', async () => {
  const credentials = await credentialsAs('restricted');
  const allowed = await credentials('allowed', ['second']);
  expect(await allowed.usersOf('registry.example/a')).toEqual(['allowed-second']);
  expect(allowed.hint).toBeUndefined();
  const denied = await credentials('trading', ['second']);
  expect(await denied.usersOf('registry.example/a')).toEqual([]);
  expect(denied.hint).toMatch(
    /^the Secret trading\/second may not be read by this installation: allow the namespace/,
  );
  const account = await credentials('trading', [], 'robot');
  expect(account.hint).toMatch(/^the ServiceAccount trading\/robot may not be read/);
});

test('neither list nor watch is needed, nor allowed', async () => {
  const client = await clientOf('webhook');
  const listing = client.json({ path: '/api/v1/namespaces/trading/secrets', signal });
  await expect(listing).rejects.toMatchObject({ code: 'ERR_KUBE_FORBIDDEN' });
});

test('keys in ConfigMaps', async () => {
  const binaryData = { bytes: Buffer.from([0xff]).toString('base64') };
  await kube.create('/api/v1/namespaces/trading/configmaps', {
    ...{ metadata: { name: 'trust' }, data: { 'ci.pub': 'a key' }, binaryData },
  });
  const { configMap } = kubeKeySources({ client: await clientOf('webhook'), env: {} });
  expect(await configMap('trading', 'trust', 'ci.pub', signal)).toEqual(Buffer.from('a key'));
  expect(await configMap('trading', 'trust', 'bytes', signal)).toEqual(Buffer.from([0xff]));
  expect(await configMap('trading', 'trust', 'other', signal)).toBeUndefined();
  expect(await configMap('allowed', 'trust', 'ci.pub', signal)).toBeUndefined();
});
