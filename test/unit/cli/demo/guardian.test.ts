import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startGuardian } from '../../../../src/cli/demo/guardian-client.ts';

const client = fileURLToPath(new URL('../../../../src/cli/demo/guardian-client.ts', import.meta.url));
let scratch: string;
let worker: ChildProcess;

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'demo-guardian-'));
  worker = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
});
afterEach(async () => {
  worker.kill('SIGKILL');
  await rm(scratch, { recursive: true, force: true });
});

/** A demo that watches the worker, and then waits to be killed. */
async function startDemo(afterwards = ''): Promise<ChildProcess> {
  const script = `
    const { startGuardian } = await import(${JSON.stringify(client)});
    const guardian = startGuardian();
    guardian.watch(${worker.pid});
    guardian.remove(${JSON.stringify(scratch)});
    ${afterwards}
    console.log('ready');
    setInterval(() => {}, 1000);`;
  const demo = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(demo.stdout, 'data');
  return demo;
}

test('ends the processes and removes the files of a demo that was killed', async () => {
  const ended = once(worker, 'exit');
  const demo = await startDemo();
  demo.kill('SIGKILL');
  await ended;
  await expect.poll(() => stat(scratch).catch(() => 'gone'), { timeout: 10_000 }).toBe('gone');
});

test('leaves alone what has ended before: the number may be another process by then', async () => {
  const demo = await startDemo(`guardian.forget(${worker.pid});`);
  demo.kill('SIGKILL');
  await expect.poll(() => stat(scratch).catch(() => 'gone'), { timeout: 10_000 }).toBe('gone');
  expect(worker.exitCode).toBeNull();
  expect(worker.signalCode).toBeNull();
});

test('does nothing and goes when it is dismissed', async () => {
  const guardian = startGuardian();
  guardian.watch(worker.pid ?? 0);
  guardian.remove(scratch);
  await guardian.dismiss();
  await sleep(50);
  expect(worker.signalCode).toBeNull();
  expect((await stat(scratch)).isDirectory()).toBe(true);
});
