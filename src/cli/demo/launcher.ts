// Starts programs under their names and logs.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CliError } from '../errors.ts';
import { withLog } from './process-end.ts';
import type { Processes, RunningProcess } from './processes.ts';
import type { Program } from './programs.ts';
import type { StateDirectory } from './state-directory.ts';
import { waitFor } from './wait.ts';

/** Everything starts at once on however few cores there are. */
const startTimeoutMs = 60_000;

export interface LauncherOptions {
  readonly directory: Pick<StateDirectory, 'logs' | 'sockets'>;
  readonly processes: Processes;
  readonly signal: AbortSignal;
}

export class Launcher {
  readonly #options: LauncherOptions;

  constructor(options: LauncherOptions) {
    this.#options = options;
  }

  start(
    name: string,
    program: Program,
    extra: { input?: string; onLine?: (line: string) => void } = {},
  ): RunningProcess {
    return this.#options.processes.start({ name, ...program, ...extra, logFile: this.logFile(name) });
  }

  run(name: string, program: Program): Promise<string> {
    return this.#options.processes.run({ name, ...program, logFile: this.logFile(name) });
  }

  logFile(name: string): string {
    return join(this.#options.directory.logs, `${name.replaceAll(' ', '-')}.log`);
  }

  socket(pod: string): string {
    return join(this.#options.directory.sockets, `${pod}.sock`);
  }

  /** Waits for a process to get somewhere. @throws CliError with the end of its log */
  async wait(
    name: string,
    what: string,
    look: () => Promise<true | undefined>,
    timeoutMs: number = startTimeoutMs,
  ): Promise<void> {
    const { signal } = this.#options;
    try {
      await waitFor({ what, timeoutMs, signal }, look);
    } catch (error) {
      if (signal.aborted || !(error instanceof Error)) throw error;
      const log = await readFile(this.logFile(name), 'utf8').catch(() => '');
      const { message, hint } = withLog(error.message, log);
      throw new CliError('ERR_UNAVAILABLE', message, { hint, cause: error });
    }
  }
}
