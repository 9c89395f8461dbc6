import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  exampleManifests,
  moveManifests,
  readManifests,
  writeManifests,
} from '../../../../src/cli/demo/manifests.ts';
import { exampleNetworks } from '../../../../src/cli/demo/networks.ts';
import { exampleDirectory } from '../../../../src/cli/demo/programs.ts';

const other = { pods: '127.80.0', services: '127.80.1' };
const third = { pods: '127.81.0', services: '127.81.1' };
let scratch: string;
let manifests: string;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'demo-manifests-'));
  manifests = join(scratch, 'manifests');
});
afterEach(() => rm(scratch, { recursive: true, force: true }));

const texts = async (): Promise<string> => (await readManifests(manifests)).map(({ text }) => text).join('');

test('a copy of the example, with the probe, on other addresses', async () => {
  const files = await exampleManifests(exampleDirectory, 'quantum-trader');
  await writeManifests(manifests, files, exampleNetworks, other);
  const copied = await readManifests(manifests);
  expect(copied.map(({ path }) => path)).toEqual([...files.map(({ path }) => path)].sort());
  expect(await texts()).toContain('podIP: 127.80.0.10\n');
  expect(await texts()).toContain('podIP: 127.80.0.99\n');
  expect(await texts()).not.toContain('127.77.');
  expect(await readdir(scratch)).toEqual(['manifests']);
});

test('what an interrupted copy has left is not taken for manifests', async () => {
  await mkdir(join(scratch, 'manifests.new'));
  await writeFile(join(scratch, 'manifests.new', 'half.yaml'), 'kind: Po');
  await writeManifests(manifests, [{ path: 'a.yaml', text: 'kind: A\n' }], exampleNetworks, exampleNetworks);
  expect(await readdir(manifests)).toEqual(['a.yaml']);
});

test('moves what is in place, and keeps what has been edited', async () => {
  const files = await exampleManifests(exampleDirectory, 'quantum-trader');
  await writeManifests(manifests, files, exampleNetworks, other);
  const policy = join(manifests, 'policies', 'gateway.yaml');
  await writeFile(policy, `${await readFile(policy, 'utf8')}# mine\n`);
  await moveManifests(manifests, other, third);
  expect(await texts()).toContain('# mine\n');
  expect(await texts()).toContain('podIP: 127.81.0.10\n');
  expect(await texts()).not.toContain('127.80.');
});
