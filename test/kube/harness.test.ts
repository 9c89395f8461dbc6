// What the other tests stand on.

import { Agent, request } from 'undici';
import { expect, test } from 'vitest';
import { untilAccount } from '../support/kube/account.ts';
import { startKube } from '../support/kube.ts';
import { until } from '../support/until.ts';

test('with a controller manager, service accounts and replicas are made', async () => {
  const kube = await startKube({ controllerManager: true });
  await untilAccount(kube, 'default');
  const create = ['create', 'deployment', 'web', '--image=registry.example/web', '--replicas=2'];
  expect(await kube.kubectl(create)).toMatchObject({ status: 0, stderr: '' });
  await until('the pods', async () => {
    const { stdout } = await kube.kubectl(['get', 'pods', '-o', 'name']);
    return stdout.trim().split('\n').length === 2;
  });
  const token = await kube.tokenFor('default', 'default');
  expect(await kube.request('GET', '/api/v1/pods', undefined, { token })).toMatchObject({ status: 403 });
});

test('an older version, which forgets nothing when it is killed', async () => {
  const kube = await startKube({ emulatedVersion: '1.34' });
  const { stdout } = await kube.kubectl(['version', '-o', 'json']);
  expect(JSON.parse(stdout)).toMatchObject({ serverVersion: { emulationMinor: '34' } });
  const { metadata } = await kube.create('/api/v1/namespaces', { metadata: { name: 'kept' } });
  await kube.restart();
  expect(await kube.request('GET', '/api/v1/namespaces/kept')).toMatchObject({
    status: 200,
    body: { metadata },
  });
  const dispatcher = new Agent({ connect: { ca: kube.ca, cert: kube.client.cert, key: kube.client.key } });
  const answer = await request(`${kube.url}/api/v1/pods`, { dispatcher });
  expect(await answer.body.text()).toContain('User \\"Test registry\\" cannot list');
  await dispatcher.close();
});
