// A program under measurement: a process of its own, spoken to by lines, whose CPU time and memory are read from /proc.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** A program that has said nothing for so long has failed. */
const silenceMs = 180_000;
const stopMs = 5_000;

export interface ProgramOptions {
  /** For messages. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Resolves when it serves, for a program that does not print the line `ready`. */
  readonly ready?: () => Promise<void>;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class Program {
  readonly pid: number;
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(name: string, child: ChildProcess, pid: number) {
    this.#name = name;
    this.#child = child;
    this.pid = pid;
    running.add(child);
    child.on('exit', () => running.delete(child));
    if (child.stdout === null) throw new Error(`${name} has no standard output`);
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** Resolves when the program is ready. */
  static async start({ name, command, args, env = {}, ready }: ProgramOptions): Promise<Program> {
    const child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    });
    if (child.pid === undefined) {
      const [error] = await once(child, 'error');
      throw new Error(`cannot start ${name} (${command})`, { cause: error });
    }
    const program = new Program(name, child, child.pid);
    if (ready !== undefined) {
      await ready();
      return program;
    }
    const first = await program.line();
    if (first !== 'ready') throw new Error(`${name} said ${first} instead of ready`);
    return program;
  }

  send(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** The next line it prints. */
  async line(): Promise<string> {
    let timer: NodeJS.Timeout | undefined;
    const silent = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${this.#name} says nothing`)), silenceMs);
    });
    try {
      const next = await Promise.race([this.#lines.next(), silent]);
      if (next.done === true) throw new Error(`${this.#name} has ended`);
      return next.value;
    } finally {
      clearTimeout(timer);
    }
  }

  cpuMs(): number {
    return cpuMs(this.pid);
  }

  rssMb(): number {
    return rssMb(this.pid);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), stopMs);
    await gone;
    clearTimeout(timer);
  }
}

/** CPU time of all threads of a process, user and system. To the nanosecond, where /proc/<pid>/stat counts hundredths of a second. */
export function cpuMs(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
  }
  return nanoseconds / 1e6;
}

/** Memory of a process that is in RAM. */
export function rssMb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kilobytes === undefined) throw new Error(`/proc/${pid}/status has no VmRSS`);
  return Number(kilobytes) / 1024;
}

/** Our own programs run on the Node that runs the bench, without flags, as they are shipped. */
export function node(script: URL, ...args: readonly string[]): Pick<ProgramOptions, 'command' | 'args'> {
  return { command: process.execPath, args: [script.pathname, ...args] };
}
