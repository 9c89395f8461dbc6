// Files out of Go modules, as scripts/tools fetches them: vectors and the kinds of policy reports.

import { readdir, readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { filesFromModules, type ModuleFiles } from '../../../scripts/tools/module-files.ts';
import { provide } from '../../../scripts/tools/provide.ts';
import { fakeGo, type Sandbox, sandbox } from './fakes.ts';

const wanted: ModuleFiles = {
  entry: 'things-1',
  modules: [
    {
      module: 'example.com/things',
      version: 'v1.0.0',
      sum: 'h1:right=',
      files: [{ from: 'deep/a.yaml', to: 'here/a.yaml' }],
    },
  ],
};

/** A Go that has downloaded the module. */
async function goWith(box: Sandbox, sum: string): Promise<void> {
  await fakeGo(box, {
    build: `/bin/mkdir -p ${box.root}/module/deep; echo content > ${box.root}/module/deep/a.yaml
echo '{"Dir":"${box.root}/module","Sum":"${sum}"}'; exit 0`,
  });
}

test('are fetched once, and again when one is torn', async () => {
  const box = await sandbox();
  await goWith(box, 'h1:right=');
  const directory = await filesFromModules(wanted, box.search);
  expect(directory).toBe(join(box.cache, 'things-1'));
  const file = join(directory, 'here/a.yaml');
  expect(await readFile(file, 'utf8')).toBe('content\n');
  await filesFromModules(wanted, box.search);
  const calls = async () => (await readFile(join(box.root, 'calls'), 'utf8')).trim().split('\n');
  expect(await calls()).toHaveLength(1);
  expect((await calls())[0]).toMatch(/^mod download .* example\.com\/things@v1\.0\.0 /);
  await truncate(file, 1);
  await filesFromModules(wanted, box.search);
  expect(await calls()).toHaveLength(2);
});

test('a module that is not what was pinned leaves nothing', async () => {
  const box = await sandbox();
  await goWith(box, 'h1:other=');
  await expect(filesFromModules(wanted, box.search)).rejects.toMatchObject({
    code: 'ERR_TOOL_INSTALL',
    message: expect.stringContaining('is not what it was'),
  });
  expect(await readdir(box.cache)).toEqual([]);
});

test.each([
  ['report-crds', 'TRELLIS_REPORT_CRDS'],
  ['vectors', 'TRELLIS_VECTORS'],
] as const)('%s: %s is an order', async (name, variable) => {
  const box = await sandbox();
  box.env[variable] = '/mine';
  expect(await provide(name, box.search, { installPackages: false })).toMatchObject({ path: '/mine' });
});
