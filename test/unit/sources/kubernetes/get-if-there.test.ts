import { expect, test } from 'vitest';
import { getIfThere } from '../../../../src/sources/kubernetes/cluster/get-if-there.ts';
import { clientTo, json, refusal, startFakeApi } from './support.ts';

async function start() {
  const api = await startFakeApi();
  const { signal } = new AbortController();
  return { api, get: () => getIfThere(clientTo(api.access), { path: '/api/v1/namespaces/a', signal }) };
}

test('what there is, is had', async () => {
  const { api, get } = await start();
  api.script(json(200, { kind: 'Namespace' }));
  expect(await get()).toEqual({ kind: 'Namespace' });
});

test('what there is not, is nothing', async () => {
  const { api, get } = await start();
  api.script(refusal(404));
  expect(await get()).toBeUndefined();
});

test.each([
  [403, 'ERR_KUBE_FORBIDDEN'],
  [503, 'ERR_KUBE_OVERLOADED'],
])('any other refusal (%i) says nothing about that', async (status, code) => {
  const { api, get } = await start();
  api.script(refusal(status));
  await expect(get()).rejects.toMatchObject({ code });
});
