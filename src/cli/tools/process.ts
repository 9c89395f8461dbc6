// Finding a program on PATH, and running one that prints a little and ends.

import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/** Enough for pip's complaints; a program that prints more than this is not what we think it is. */
const maxOutputBytes = 8 * 1024 * 1024;

export interface Finished {
  /** Exit code; undefined when the program did not start, or was ended by a signal or the time limit. */
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** Why `status` is not 0, in a few words; empty when it is 0. */
  readonly problem: string;
  /** The system's error code (`ENOENT`, `EACCES`, …) when the program did not start. */
  readonly startError: string | undefined;
}

/** Runs a program to its end, without a shell and without standard input. Never rejects. */
export function run(
  command: string,
  args: readonly string[],
  options: { env: NodeJS.ProcessEnv; timeoutMs: number },
): Promise<Finished> {
  return new Promise((resolve) => {
    const settings = {
      env: options.env,
      timeout: options.timeoutMs,
      maxBuffer: maxOutputBytes,
      encoding: 'utf8' as const,
    };
    const child = execFile(command, args, settings, (error, stdout, stderr) => {
      const code = error?.code;
      resolve({
        status: error === null ? 0 : typeof code === 'number' ? code : undefined,
        stdout,
        stderr,
        problem: error === null ? '' : describe(error, stdout, stderr),
        startError: typeof code === 'string' && code.startsWith('E') ? code : undefined,
      });
    });
    child.stdin?.end();
  });
}

function describe(error: { killed?: boolean; message: string }, stdout: string, stderr: string): string {
  if (error.killed === true) return 'it took too long';
  const lastLine = (text: string): string | undefined => text.trim().split('\n').at(-1)?.trim();
  return lastLine(stderr) || lastLine(stdout) || error.message;
}

async function isExecutableFile(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** The first executable file of that name in `env.PATH`, as a shell would find it. */
export async function which(name: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    // An empty or relative entry means the current directory: nothing we should start programs from.
    if (!folder.startsWith('/')) continue;
    const path = join(folder, name);
    if (await isExecutableFile(path)) return path;
  }
  return undefined;
}
