// The one way a command writes its result: through its program, so that tests can read it.

import type { Command } from 'commander';

/** Writes a line to standard output. Standard output carries results only; progress and logs go to standard error. */
export function print(command: Command, line: string): void {
  command.configureOutput().writeOut?.(`${line}\n`);
}
