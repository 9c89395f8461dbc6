// Helm, as scripts/tools finds and builds it.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { provide } from '../../../scripts/tools/provide.ts';
import { fakeGo, type Sandbox, sandbox } from './fakes.ts';

const find = (box: Sandbox) => provide('helm', box.search, { installPackages: false });
const helm = (version: string): string => `echo "${version}"`;

test('TRELLIS_HELM is an order', async () => {
  const box = await sandbox();
  const path = await box.script(join(box.root, 'mine/helm'), helm('v4.2.4+g08663e6'));
  box.env['TRELLIS_HELM'] = path;
  expect(await find(box)).toEqual({ path, version: '4.2.4' });
  await box.script(path, helm('v3.22.0+g1234567'));
  await expect(find(box)).rejects.toMatchObject({ code: 'ERR_TOOL_TOO_OLD' });
  await box.script(path, helm('hello'));
  await expect(find(box)).rejects.toMatchObject({ code: 'ERR_TOOL_UNKNOWN_VERSION' });
  box.env['TRELLIS_HELM'] = '/nowhere/helm';
  await expect(find(box)).rejects.toMatchObject({ code: 'ERR_TOOL_MISSING' });
});

test('a version 4 on PATH is taken', async () => {
  const box = await sandbox();
  const path = await box.script('helm', helm('v4.3'));
  expect(await find(box)).toEqual({ path, version: '4.3' });
});

test.each(['v3.22.0', 'v5.0.0'])('%s on PATH is passed over, and one is built, once', async (version) => {
  const box = await sandbox();
  await box.script('helm', helm(version));
  await fakeGo(box, { program: helm('v4.3') });
  const path = join(box.cache, 'helm-4.3.1-go1.26.3/helm');
  expect(await find(box)).toEqual({ path, version: '4.3' });
  expect(await find(box)).toEqual({ path, version: '4.3' });
  expect(box.lines[0]).toContain('looking further');
  const calls = (await readFile(join(box.root, 'calls'), 'utf8')).trim().split('\n');
  expect(calls).toEqual([
    'install helm.sh/helm/v4/cmd/helm@v4.3.1 CGO_ENABLED=0 GOFLAGS=-trimpath -buildvcs=false GOTOOLCHAIN=local',
  ]);
});
