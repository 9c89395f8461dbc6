// Runs `trellis demo` as a user does, and looks for what it leaves behind.

import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished } from 'vitest';

const script = fileURLToPath(new URL('../../bin/trellis.js', import.meta.url));
const marker = 'TRELLIS_TEST_RUN';

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface DemoRun {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** What it has said of its progress so far. */
  progress(): string;
  /** Its own temporary directory, which must be empty again afterwards. */
  readonly scratch: string;
  /** Commands of the processes of this run that exist now, the demo itself included. */
  processes(): Promise<readonly string[]>;
}

/** Starts `trellis demo` with its own directory for temporary files. */
export async function startDemo(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<DemoRun> {
  const scratch = await mkdtemp(join(tmpdir(), 'demo-'));
  onTestFinished(() => rm(scratch, { recursive: true, force: true }));
  const run = randomUUID();
  const child = spawn(process.execPath, [script, 'demo', ...args], {
    env: { ...process.env, TMPDIR: scratch, ...env, [marker]: run },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // A test that fails half-way must not leave a mesh behind.
  onTestFinished(() => void child.kill('SIGKILL'));
  const output = { stdout: '', stderr: '' };
  return {
    child,
    ended: collect(child, output),
    progress: () => output.stderr,
    scratch,
    processes: () => processesOf(run),
  };
}

/** Runs it to its end. */
export async function runDemo(args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Ended> {
  return await (await startDemo(args, env)).ended;
}

async function collect(child: ChildProcess, output: { stdout: string; stderr: string }): Promise<Ended> {
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream]?.setEncoding('utf8').on('data', (text: string) => {
      output[stream] += text;
    });
  }
  const [code] = await once(child, 'close');
  return { code, ...output };
}

/** By the environment, which every child inherits: command lines and process groups say less. Linux only, as the demo's addresses are. */
async function processesOf(run: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
    if (!environment.includes(`${marker}=${run}`)) continue;
    const command = await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '');
    if (command !== '') found.push(command.replaceAll('\0', ' ').slice(0, 200));
  }
  return found;
}

/** A guardian takes a moment to clean up after a demo that was killed. */
const cleanUpMs = 15_000;

/** Nothing of it is left: no process, no file. */
export async function expectNothingLeft(run: DemoRun): Promise<void> {
  await expect.poll(() => run.processes(), { timeout: cleanUpMs, interval: 50 }).toEqual([]);
  await expect.poll(() => readdir(run.scratch), { timeout: cleanUpMs, interval: 50 }).toEqual([]);
}
