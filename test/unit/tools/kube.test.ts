// The Kubernetes programs of the tests, as scripts/tools finds and builds them.

import { readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { provide } from '../../../scripts/tools/provide.ts';
import { fakeGo, type Sandbox, sandbox } from './fakes.ts';

const find = (box: Sandbox) => provide('kube', box.search, { installPackages: false });
const apiServer = 'echo "Kubernetes v1.36.3"';

/** A directory as kubebuilder's archives have it. */
async function assets(box: Sandbox): Promise<string> {
  const path = join(box.root, 'assets');
  for (const name of ['etcd', 'kubectl']) await box.script(join(path, name), 'exit 0');
  await box.script(join(path, 'kube-apiserver'), apiServer);
  box.env['KUBEBUILDER_ASSETS'] = path;
  return path;
}

test('KUBEBUILDER_ASSETS is an order; what its archives never hold is said to be missing', async () => {
  const box = await sandbox();
  const path = await assets(box);
  expect(await find(box)).toEqual({ path, version: '1.36.3' });
  expect(box.lines[0]).toContain('no kube-controller-manager');
  await rm(join(path, 'etcd'));
  await expect(find(box)).rejects.toMatchObject({
    code: 'ERR_TOOL_MISSING',
    message: expect.stringContaining('has no etcd'),
  });
});

test('programs that do not work', async () => {
  const box = await sandbox();
  const path = await assets(box);
  await box.script(join(path, 'kube-apiserver'), 'echo hello');
  await expect(find(box)).rejects.toMatchObject({ code: 'ERR_TOOL_UNKNOWN_VERSION' });
});

test('one program is built from what is pinned, once, and is all of them by name', async () => {
  const box = await sandbox();
  await fakeGo(box, { program: apiServer });
  const found = await find(box);
  expect(found.version).toBe('1.36.3');
  expect(dirname(found.path)).toBe(box.cache);
  expect(await find(box)).toEqual(found);
  const calls = (await readFile(join(box.root, 'calls'), 'utf8')).trim().split('\n');
  expect(calls).toHaveLength(1);
  expect(calls[0]).toMatch(/^build -C \S+\/test\/go\/kube -mod=readonly -ldflags -s -w /);
  expect(calls[0]).toContain(
    '-X k8s.io/component-base/version.gitVersion=v1.36.3 -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36 -o ',
  );
  for (const name of ['etcd', 'kube-controller-manager', 'kube-scheduler', 'kubectl']) {
    expect(await readFile(join(found.path, name), 'utf8')).toContain(apiServer);
  }
});
