// The demo's child processes: started, watched, and ended by their process id.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { CliError } from '../errors.ts';
import { describeEnd, type ProcessEnd } from './process-end.ts';

/** How long a process may take to obey SIGTERM before it is killed. */
const defaultStopTimeoutMs = 5000;

export interface ProcessSpec {
  /** For people, and the name of its log file: `envoy gateway`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly logFile: string;
  /** Added to our own environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Written to its standard input, which is then closed. */
  readonly input?: string;
  /** Gets its standard output line by line; without it, standard output goes to the log file. */
  readonly onLine?: (line: string) => void;
}

export interface RunningProcess {
  readonly name: string;
  readonly pid: number;
  /** Resolves when it has ended, for whatever reason. */
  readonly ended: Promise<ProcessEnd>;
  /** Ends it at once, as a crash would, and waits until it is gone. Not counted as a failure. */
  crash(): Promise<void>;
}

/** What the guardian needs to know. */
interface Watcher {
  watch(pid: number): void;
  forget(pid: number): void;
}

interface Entry extends RunningProcess {
  readonly child: ChildProcess;
  /** We ended it, or it is one that ends by itself. */
  expected: boolean;
}

export class Processes {
  /** Rejects when a process ends that should go on. */
  readonly failure: Promise<never>;
  readonly #fail: (error: unknown) => void;
  readonly #watcher: Watcher;
  readonly #stopTimeoutMs: number;
  readonly #running = new Set<Entry>();
  #stopping = false;

  constructor(watcher: Watcher, stopTimeoutMs: number = defaultStopTimeoutMs) {
    this.#watcher = watcher;
    this.#stopTimeoutMs = stopTimeoutMs;
    const { promise, reject } = Promise.withResolvers<never>();
    this.failure = promise;
    this.#fail = reject;
    // Whoever races against it hears of it; nobody else has to.
    promise.catch(() => {});
  }

  /**
   * Starts a process that is expected to go on until it is stopped.
   * @throws CliError when it cannot be started, or everything is being stopped
   */
  start(spec: ProcessSpec): RunningProcess {
    const entry = this.#spawn(spec);
    void entry.ended.then(async (end) => {
      if (!entry.expected && !this.#stopping) this.#fail(await endError(spec, end));
    });
    return entry;
  }

  /** Runs a process to its end and returns what it printed. @throws CliError when it ends with anything but 0 */
  async run(spec: Omit<ProcessSpec, 'onLine'>): Promise<string> {
    const lines: string[] = [];
    const entry = this.#spawn({ ...spec, onLine: (line) => lines.push(line) });
    const end = await entry.ended;
    if (end.code !== 0) throw await endError(spec, end);
    return lines.join('\n');
  }

  /** The process ids of what is running now. */
  pids(): readonly number[] {
    return [...this.#running].map(({ pid }) => pid);
  }

  /** Ends everything: asks, waits, kills. Nothing can be started any more. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const all = [...this.#running];
    for (const { child } of all) child.kill('SIGTERM');
    const timer = setTimeout(() => {
      for (const { child } of all) child.kill('SIGKILL');
    }, this.#stopTimeoutMs);
    await Promise.all(all.map(({ ended }) => ended));
    clearTimeout(timer);
  }

  #spawn(spec: ProcessSpec): Entry {
    if (this.#stopping) throw new CliError('ERR_UNAVAILABLE', `${spec.name}: the demo is stopping`);
    const log = openSync(spec.logFile, 'a', 0o600);
    let child: ChildProcess;
    try {
      child = spawn(spec.command, [...spec.args], {
        stdio: [spec.input === undefined ? 'ignore' : 'pipe', spec.onLine === undefined ? log : 'pipe', log],
        // In a session of its own, so that a Ctrl-C in the terminal reaches only us and we decide how they end.
        detached: true,
        env: { ...process.env, ...spec.env },
      });
    } finally {
      closeSync(log);
    }
    const entry = this.#entry(spec, child);
    child.stdin?.on('error', () => {});
    child.stdin?.end(spec.input);
    return entry;
  }

  #entry(spec: ProcessSpec, child: ChildProcess): Entry {
    const ended = endOf(child, spec.onLine);
    const entry: Entry = {
      name: spec.name,
      // Without one it has not started, and `ended` says why.
      pid: child.pid ?? 0,
      ended,
      child,
      expected: false,
      crash: async () => {
        entry.expected = true;
        child.kill('SIGKILL');
        await ended;
      },
    };
    if (child.pid !== undefined) {
      this.#running.add(entry);
      this.#watcher.watch(child.pid);
      void ended.then(() => {
        this.#running.delete(entry);
        this.#watcher.forget(entry.pid);
      });
    }
    return entry;
  }
}

/** Resolves after the process has ended and all it printed has been delivered. */
function endOf(child: ChildProcess, onLine: ((line: string) => void) | undefined): Promise<ProcessEnd> {
  if (child.stdout !== null && onLine !== undefined) {
    createInterface({ input: child.stdout }).on('line', onLine);
  }
  return new Promise((resolve) => {
    let startError: string | undefined;
    child.on('error', (error: NodeJS.ErrnoException) => {
      startError = error.code ?? error.message;
      if (child.pid === undefined) resolve({ code: undefined, signal: undefined, startError });
    });
    child.on('close', (code, signal) => {
      resolve({ code: code ?? undefined, signal: signal ?? undefined, startError });
    });
  });
}

async function endError(spec: Pick<ProcessSpec, 'name' | 'logFile'>, end: ProcessEnd): Promise<CliError> {
  const log = await readFile(spec.logFile, 'utf8').catch(() => '');
  const { message, hint } = describeEnd(spec.name, end, log);
  return new CliError('ERR_UNAVAILABLE', message, { hint });
}
