import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Processes } from '../../../../src/cli/demo/processes.ts';

let scratch: string;
let watched: Set<number>;
let processes: Processes;

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'demo-processes-'));
  watched = new Set();
  processes = new Processes({ watch: (pid) => watched.add(pid), forget: (pid) => watched.delete(pid) });
});
afterEach(async () => {
  await processes.stop();
  await rm(scratch, { recursive: true, force: true });
});

const spec = (script: string, name = 'worker') => ({
  name,
  command: process.execPath,
  args: ['-e', script],
  logFile: join(scratch, `${name}.log`),
});
const forever = 'setInterval(() => {}, 1000)';

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('stops everything', async () => {
  const one = processes.start(spec(forever, 'one'));
  const two = processes.start(spec(forever, 'two'));
  expect([...watched].sort()).toEqual([one.pid, two.pid].sort());
  await processes.stop();
  expect(isAlive(one.pid)).toBe(false);
  expect(isAlive(two.pid)).toBe(false);
  expect(watched.size).toBe(0);
  expect(processes.pids()).toEqual([]);
});

test('kills what does not obey', async () => {
  const impatient = new Processes({ watch: () => {}, forget: () => {} }, 100);
  const up = Promise.withResolvers<void>();
  const stubborn = impatient.start({
    ...spec(`process.on('SIGTERM', () => {}); console.log('up'); ${forever}`),
    onLine: () => up.resolve(),
  });
  await up.promise;
  await impatient.stop();
  expect(await stubborn.ended).toMatchObject({ signal: 'SIGKILL' });
});

test('a process that ends by itself is a failure, with its log', async () => {
  processes.start(spec('console.error("out of luck"); process.exit(3)'));
  await expect(processes.failure).rejects.toMatchObject({
    code: 'ERR_UNAVAILABLE',
    message: expect.stringMatching(/^worker ended with code 3; .*\n +out of luck/s),
  });
});

test('a program that is not there is a failure', async () => {
  processes.start({ ...spec(''), command: join(scratch, 'absent') });
  await expect(processes.failure).rejects.toMatchObject({
    message: expect.stringContaining('could not be started (ENOENT)'),
  });
});

test('a crash that was asked for is none', async () => {
  const worker = processes.start(spec(forever));
  await worker.crash();
  expect(isAlive(worker.pid)).toBe(false);
  const outcome = await Promise.race([processes.failure.catch(() => 'failed'), Promise.resolve('nothing')]);
  expect(outcome).toBe('nothing');
});

test('runs a program to its end, with input', async () => {
  const echo = spec('process.stdin.on("data", (text) => console.log(String(text).toUpperCase()))');
  expect((await processes.run({ ...echo, input: 'secret' })).trim()).toBe('SECRET');
  await expect(processes.run(spec('process.exit(2)'))).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE' });
});

test('delivers standard output by line and keeps standard error in the log', async () => {
  const lines: string[] = [];
  const worker = processes.start({
    ...spec('console.log("a\\nb"); console.error("c"); process.exitCode = 0'),
    onLine: (line) => lines.push(line),
  });
  await worker.ended;
  expect(lines).toEqual(['a', 'b']);
  expect(await readFile(join(scratch, 'worker.log'), 'utf8')).toBe('c\n');
});

test('starts nothing after it was stopped', async () => {
  await processes.stop();
  expect(() => processes.start(spec(forever))).toThrow('stopping');
});
