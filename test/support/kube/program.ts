// One program of the test cluster: started, paused, killed and started again by its own process id.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';

/** A program that is told to end has this long, then it is killed. */
const stopTimeoutMs = 5_000;

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export interface Program {
  readonly pid: number;
  /** Resolves when it is gone. */
  kill(): Promise<void>;
  stop(): Promise<void>;
  pause(): void;
  resume(): void;
  /** With the same arguments; rejects while it runs. */
  start(): Promise<void>;
  hasEnded(): boolean;
  /** The end of what it wrote. */
  log(): Promise<string>;
}

export interface ProgramOptions {
  readonly path: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly logFile: string;
}

export async function startProgram(options: ProgramOptions): Promise<Program> {
  let child = await launch(options);
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (hasEnded()) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    // A paused process does not hear anything else.
    child.kill('SIGCONT');
    const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
    await gone;
    clearTimeout(timer);
  };
  return {
    get pid() {
      return child.pid ?? 0;
    },
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    start: async () => {
      if (!hasEnded()) throw new Error(`${options.path} is running`);
      child = await launch(options);
    },
    hasEnded,
    log: async () => (await readFile(options.logFile, 'utf8')).slice(-4_000),
  };
}

async function launch({ path, args, env, logFile }: ProgramOptions): Promise<ChildProcess> {
  const log = createWriteStream(logFile, { flags: 'a' });
  await once(log, 'open');
  const child = spawn(path, args, { env, stdio: ['ignore', log, log] });
  log.close();
  running.add(child);
  child.on('exit', () => running.delete(child));
  child.on('error', () => running.delete(child));
  await once(child, 'spawn');
  return child;
}
