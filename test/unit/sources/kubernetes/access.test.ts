// Where access to an API server comes from: kubeconfig files and a pod's own service account.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { inClusterAccess } from '../../../../src/sources/kubernetes/cluster/in-cluster.ts';
import {
  accessFromKubeconfig,
  parseKubeconfig,
} from '../../../../src/sources/kubernetes/cluster/kubeconfig.ts';
import { onEnd } from '../../../support/cleanup.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');

function config(cluster: string, user: string, more = 'current-context: c'): string {
  return `
apiVersion: v1
kind: Config
preferences: {}
clusters: [{name: one, cluster: {server: "https://127.0.0.1:6443", ${cluster}}}]
users: [{name: me, user: {${user}}}]
contexts: [{name: c, context: {cluster: one, user: me, namespace: trading}}, {name: d, context: {cluster: two, user: me}}]
${more}
`;
}

const read = (text: string, context?: string) => parseKubeconfig(text, '/home/me/.kube/config', context);

test('data, files, and what is left out', () => {
  const server = new URL('https://127.0.0.1:6443');
  expect(
    read(config(`certificate-authority-data: ${base64('CA')}, tls-server-name: kube`, 'token: t')),
  ).toEqual({
    ...{ server, tlsServerName: 'kube', ca: { text: 'CA' }, token: { text: 't' } },
    ...{ client: undefined, namespace: 'trading' },
  });
  const files =
    'tokenFile: token, token: old, client-certificate: /etc/client.pem, client-key: ../client.key, client-key-data: ~';
  expect(read(config('certificate-authority: ca.pem', files))).toMatchObject({
    ca: { file: '/home/me/.kube/ca.pem' },
    token: { file: '/home/me/.kube/token' },
    client: { certificate: { file: '/etc/client.pem' }, key: { file: '/home/me/client.key' } },
  });
  expect(
    read(config('', `client-certificate-data: ${base64('C')}, client-key-data: ${base64('K')}`)),
  ).toMatchObject({
    ...{ ca: undefined, token: undefined, client: { certificate: { text: 'C' }, key: { text: 'K' } } },
  });
});

test.each([
  ['exec', config('', 'exec: {command: aws}')],
  ['auth-provider', config('', 'auth-provider: {name: gcp}')],
  ['password', config('', 'password: secret')],
  ['user with as', config('', 'as: root')],
  ['proxy-url', config('proxy-url: "http://proxy"', '')],
  ['insecure-skip-tls-verify', config('insecure-skip-tls-verify: true', '')],
  ['without its key', config('', `client-certificate-data: ${base64('C')}`)],
  ['https://', config('', '').replace('https://', 'http://')],
  ['no current-context', config('', '', '')],
  ['no context "x"; there are c, d', config('', '', 'current-context: x')],
  ['no cluster "two"', config('', '', 'current-context: d')],
  ['not valid YAML', '{'],
  ['not a kubeconfig: clusters', '{}'],
  ['too large', `#${'x'.repeat(2_000_000)}`],
])('refused: %s', (problem, text) => {
  expect(() => read(text)).toThrow(
    expect.objectContaining({ code: 'ERR_KUBE_CONFIGURATION', message: expect.stringContaining(problem) }),
  );
});

test('a refusal quotes no credential', () => {
  const text = config('', 'token: [s3cret]');
  expect(() => read(text)).toThrow(
    expect.objectContaining({ message: expect.not.stringContaining('s3cret') }),
  );
});

test('a context by name, and a file that is not there', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'trellis-kubeconfig-'));
  onEnd(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, 'config');
  await expect(accessFromKubeconfig(file)).rejects.toMatchObject({ code: 'ERR_KUBE_CONFIGURATION' });
  await writeFile(file, config('certificate-authority: ca.pem', '', ''));
  expect(await accessFromKubeconfig(file, 'c')).toMatchObject({ ca: { file: join(directory, 'ca.pem') } });
});

test('in a cluster', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'trellis-in-cluster-'));
  onEnd(() => rm(directory, { recursive: true, force: true }));
  const account = join(directory, 'serviceaccount');
  const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };
  expect(await inClusterAccess({}, account)).toBeUndefined();
  await expect(inClusterAccess(env, account)).rejects.toMatchObject({ code: 'ERR_KUBE_CREDENTIALS' });
  await mkdir(account);
  for (const name of ['token', 'ca.crt', 'namespace']) await writeFile(join(account, name), `${name}\n`);
  expect(await inClusterAccess(env, account)).toEqual({
    ...{ server: new URL('https://[fd00::1]:443'), tlsServerName: undefined, client: undefined },
    ...{
      ca: { file: join(account, 'ca.crt') },
      token: { file: join(account, 'token') },
      namespace: 'namespace',
    },
  });
  const wrong = { KUBERNETES_SERVICE_HOST: 'a b', KUBERNETES_SERVICE_PORT: '443' };
  await expect(inClusterAccess(wrong, account)).rejects.toMatchObject({ code: 'ERR_KUBE_CONFIGURATION' });
});
