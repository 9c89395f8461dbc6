// scripts/tools.ts as a command.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { catalogue } from '../../../scripts/tools/catalogue.ts';
import { envoyPrinting, type Sandbox, sandbox } from './fakes.ts';

function tools(box: Sandbox, ...args: string[]) {
  const script = join(import.meta.dirname, '../../../scripts/tools.ts');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
    env: box.env,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

test('prints paths on standard output and what it does on standard error', async () => {
  const box = await sandbox();
  const path = await box.script('envoy', envoyPrinting('1.40.0'));
  expect(tools(box, 'envoy')).toEqual({
    status: 0,
    stdout: `${path}\n`,
    stderr: `tools: envoy: 1.40.0 at ${path} (PATH)\n`,
  });
});

test('--json prints one object', async () => {
  const box = await sandbox();
  const path = await box.script('envoy', envoyPrinting('1.40.0'));
  expect(JSON.parse(tools(box, 'envoy', '--json').stdout)).toEqual({
    envoy: { path, version: '1.40.0', origin: 'PATH' },
  });
});

test('looks for all, names every missing one, and fails', async () => {
  const box = await sandbox();
  // Go's own installer has a place that is on nobody's PATH.
  box.env['TRELLIS_GO'] = '/nowhere/go';
  const { status, stderr } = tools(box);
  expect(status).toBe(1);
  expect(stderr.match(/^tools: MISSING: ([\w-]+)/gm)).toEqual(
    Object.keys(catalogue).map((name) => `tools: MISSING: ${name}`),
  );
});

test('an unknown name is a usage error that lists the known ones', async () => {
  const { status, stderr } = tools(await sandbox(), 'envoi');
  expect(status).toBe(2);
  expect(stderr).toContain(Object.keys(catalogue).join(', '));
});
