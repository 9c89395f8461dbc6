import { join } from 'node:path';
import { expect, test } from 'vitest';
import { provide } from '../../../scripts/tools/provide.ts';
import { type Sandbox, sandbox } from './fakes.ts';

const find = (box: Sandbox) => provide('faketime', box.search, { installPackages: false });
const prints = 'echo; echo "faketime: Version 0.9.10"';

test('TRELLIS_FAKETIME is an order', async () => {
  const box = await sandbox();
  await box.script('faketime', prints);
  const path = await box.script(join(box.root, 'mine/faketime'), prints);
  box.env['TRELLIS_FAKETIME'] = path;
  expect(await find(box)).toEqual({ path, version: '0.9.10' });
});

test('on PATH', async () => {
  const box = await sandbox();
  const path = await box.script('faketime', prints);
  expect(await find(box)).toEqual({ path, version: '0.9.10' });
});

test.each([
  ['is not there', undefined, 'ERR_TOOL_MISSING'],
  ['is something else', 'echo hello', 'ERR_TOOL_UNKNOWN_VERSION'],
])('one that %s', async (_, body, code) => {
  const box = await sandbox();
  box.env['TRELLIS_FAKETIME'] = join(box.root, 'mine/faketime');
  if (body !== undefined) await box.script(join(box.root, 'mine/faketime'), body);
  await expect(find(box)).rejects.toMatchObject({ code });
});
