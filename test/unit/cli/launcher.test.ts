// bin/trellis.js: the hand-over from an old Node to the one in node_modules.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

const launcher = join(import.meta.dirname, '../../../bin/trellis.js');

/** Makes this Node believe that it is another version. */
const pretend = (version: string): string =>
  `data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'${version}'}})`;

/** A checkout with nothing but the launcher in it, and a shell script for a Node of its own. */
async function checkout(ownNode?: string): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'trellis-launcher-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  await mkdir(join(root, 'bin'));
  await writeFile(join(root, 'package.json'), '{"type":"module"}');
  await copyFile(launcher, join(root, 'bin/trellis.js'));
  if (ownNode !== undefined) {
    await mkdir(join(root, 'node_modules/node/bin'), { recursive: true });
    const path = join(root, 'node_modules/node/bin/node');
    await writeFile(path, `#!/bin/sh\n${ownNode}\n`);
    await chmod(path, 0o755);
  }
  return join(root, 'bin/trellis.js');
}

function start(script: string, version: string, ...args: string[]): ChildProcess {
  return startWith(pretend(version), script, ...args);
}

/** Runs the module `before` first. */
function startWith(before: string, script: string, ...args: string[]): ChildProcess {
  const child = spawn(process.execPath, ['--import', before, script, ...args], { stdio: 'pipe' });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

async function finish(child: ChildProcess) {
  let [stdout, stderr] = ['', ''];
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code, signal] = await once(child, 'close');
  return { code, signal, stdout, stderr };
}

test('a Node that is new enough runs the command line itself', async () => {
  const result = await finish(start(launcher, '24.15.0', 'version', '--json'));
  expect(result).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(result.stdout)).toMatchObject({ mlDsa: true });
});

test('an exit code of a command becomes that of the process', async () => {
  expect(await finish(start(launcher, '26.0.0', 'no-such-command'))).toMatchObject({ code: 2, stdout: '' });
});

test.each([
  ['throws', 'process.once("beforeExit",()=>{throw new TypeError("boom")})'],
  ['rejects', 'process.once("beforeExit",()=>{Promise.reject(new TypeError("boom"))})'],
])('what %s outside a command is one line and 70', async (_, code) => {
  const child = startWith(`data:text/javascript,${code}`, launcher, 'version', '--json');
  expect(await finish(child)).toMatchObject({
    code: 70,
    stderr: 'trellis: unexpected error: TypeError: boom\n  --verbose shows the stack; please report it\n',
  });
});

test('a reader that has seen enough is no error', async () => {
  const child = start(launcher, '26.0.0', '--help');
  child.stdout?.destroy();
  expect(await finish(child)).toMatchObject({ code: 0, stderr: '' });
});

test.each(['20.20.2', '24.14.9'])('Node %s hands over, arguments untouched', async (version) => {
  const script = await checkout('for word in "$@"; do echo "<$word>"; done');
  const { code, stdout } = await finish(start(script, version, 'version', 'two words', '$HOME'));
  expect(code).toBe(0);
  expect(stdout).toBe(`<${script}>\n<version>\n<two words>\n<$HOME>\n`);
});

test('standard input, output and error pass through, and so does the exit code', async () => {
  const script = await checkout('cat; echo oops >&2; exit 78');
  const child = start(script, '20.0.0');
  child.stdin?.end('hello');
  expect(await finish(child)).toMatchObject({ code: 78, stdout: 'hello', stderr: 'oops\n' });
});

test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('%s is passed on', async (signal) => {
  // The shell waits for a signal without blocking it, in steps, and cleans up.
  const script = await checkout(
    `trap 'echo stopped; exit 0' ${signal.slice(3)}; echo started; while :; do sleep 0.05; done`,
  );
  const child = start(script, '20.0.0');
  const [greeting] = await once(child.stdout ?? child, 'data');
  expect(String(greeting)).toBe('started\n');
  const finished = finish(child);
  child.kill(signal);
  expect(await finished).toMatchObject({ code: 0, signal: null, stdout: 'stopped\n' });
});

test('when the command dies of a signal, the launcher dies of the same', async () => {
  const script = await checkout('kill -TERM $$');
  expect(await finish(start(script, '20.0.0'))).toMatchObject({ code: null, signal: 'SIGTERM' });
});

test('without another Node: says which it is, which it needs, and what to do', async () => {
  const { code, stdout, stderr } = await finish(start(await checkout(), '20.0.0'));
  expect({ code, stdout }).toEqual({ code: 69, stdout: '' });
  expect(stderr).toMatch(/needs Node\.js 24\.15 or later, this is v.*npm ci/s);
});
