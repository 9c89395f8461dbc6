// How far a command with several images is: a bar on a terminal, lines in a log, nothing for one image.

import { progress as bar } from '@clack/prompts';
import type { Command } from 'commander';

export interface Progress {
  done(image: string): void;
  end(): void;
}

const silent: Progress = { done: () => undefined, end: () => undefined };

export interface ProgressOptions {
  readonly total: number;
  /** What is done to each, as in "verifying". */
  readonly what: string;
  /** Standard error, where it is a terminal; standard output is for results. */
  readonly terminal: NodeJS.WriteStream | undefined;
  readonly log: (line: string) => void;
}

export function createProgress({ total, what, terminal, log }: ProgressOptions): Progress {
  if (total < 2) return silent;
  let count = 0;
  if (terminal === undefined) {
    return { done: (image) => log(`[${++count}/${total}] ${image}`), end: () => undefined };
  }
  const shown = bar({ max: total, output: terminal });
  shown.start(`${what} ${total} images`);
  return {
    done: (image) => shown.advance(1, `${++count} of ${total}: ${image}`),
    end: () => shown.stop(`${count} of ${total} images`),
  };
}

/** For a command's images. @param what is done to each, as in "verifying" */
export function progressOf(command: Command, total: number, what: string): Progress {
  const { writeErr } = command.configureOutput();
  const terminal = process.stderr.isTTY ? process.stderr : undefined;
  return createProgress({ total, what, terminal, log: (line) => writeErr?.(`${line}\n`) });
}
