import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStateDirectory, writeAtomically } from '../../../../src/cli/demo/state-directory.ts';

let scratch: string;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'demo-state-'));
});
afterEach(() => rm(scratch, { recursive: true, force: true }));

const networks = { pods: '127.90.0', services: '127.90.1' };

test('a new directory is private and has its parts', async () => {
  const directory = await openStateDirectory(join(scratch, 'new'));
  expect((await stat(directory.path)).mode & 0o777).toBe(0o700);
  expect(directory.temporary).toBe(false);
  expect(directory.networks).toBeUndefined();
  expect((await readdir(directory.path)).sort()).toEqual([
    '.lock',
    '.trellis-demo',
    'control-plane',
    'logs',
    'run',
  ]);
});

test('keeps its files, but not what makes sense only while it runs', async () => {
  const directory = await openStateDirectory(scratch);
  await directory.recordNetworks(networks);
  await writeFile(directory.demoJson, '{}');
  await writeFile(join(directory.logs, 'x.log'), 'x');
  await directory.release();
  expect((await readdir(scratch)).sort()).toEqual(['.trellis-demo', 'control-plane', 'logs']);
  const again = await openStateDirectory(scratch);
  expect(again.networks).toEqual(networks);
  // A run's logs are there until the next one.
  expect(await readdir(again.logs)).toEqual([]);
});

test('without a wish it is temporary and leaves nothing', async () => {
  const directory = await openStateDirectory(undefined);
  expect(directory.temporary).toBe(true);
  await writeFile(join(directory.logs, 'x.log'), 'x');
  await directory.release();
  await expect(stat(directory.path)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('does not touch a directory that holds something else', async () => {
  await writeFile(join(scratch, 'thesis.txt'), 'important');
  await expect(openStateDirectory(scratch)).rejects.toMatchObject({
    code: 'ERR_CONFIGURATION',
    message: expect.stringContaining('not a state directory'),
  });
  expect(await readdir(scratch)).toEqual(['thesis.txt']);
});

test('refuses a file in place of a directory', async () => {
  const path = join(scratch, 'file');
  await writeFile(path, '');
  await expect(openStateDirectory(path)).rejects.toMatchObject({
    code: 'ERR_CONFIGURATION',
    message: expect.stringContaining('is a file'),
  });
});

test('refuses a directory that another demo uses', async () => {
  await openStateDirectory(scratch);
  await expect(openStateDirectory(scratch)).rejects.toMatchObject({
    code: 'ERR_UNAVAILABLE',
    message: expect.stringContaining(`process ${process.pid}`),
  });
});

test('takes over from a demo that was killed', async () => {
  const first = await openStateDirectory(scratch);
  await writeFile(first.demoJson, '{}');
  // Above the largest process id there can be.
  await writeFile(join(scratch, '.lock'), '4194305\n');
  const second = await openStateDirectory(scratch);
  await expect(readFile(second.demoJson)).rejects.toMatchObject({ code: 'ENOENT' });
  await second.release();
});

test('waits for the guardian of a demo that was killed', async () => {
  await (await openStateDirectory(scratch)).release();
  const lock = join(scratch, '.lock');
  await writeFile(lock, '4194305\n');
  let removed = false;
  setTimeout(() => {
    removed = true;
    void rm(lock);
  }, 200);
  await openStateDirectory(scratch);
  expect(removed).toBe(true);
});

test('says so when its marker is damaged', async () => {
  await writeFile(join(scratch, '.trellis-demo'), 'pods 127.');
  await expect(openStateDirectory(scratch)).rejects.toMatchObject({
    code: 'ERR_CONFIGURATION',
    message: expect.stringContaining('damaged'),
  });
});

test('refuses a path in which a Unix socket has no room', async () => {
  await expect(openStateDirectory(join(scratch, 'a'.repeat(90)))).rejects.toMatchObject({
    code: 'ERR_CONFIGURATION',
    message: expect.stringContaining('too long'),
  });
  expect(await readdir(scratch)).toEqual([]);
});

test('an atomic write that fails leaves no temporary file and the old content', async () => {
  const target = join(scratch, 'target');
  await mkdir(join(target, 'full'), { recursive: true });
  await expect(writeAtomically(target, 'text')).rejects.toThrow();
  expect(await readdir(scratch)).toEqual(['target']);
});
