// The one way a command writes its result: through its program, so that tests can read it.

import type { Command } from 'commander';
import { escapeInvisible } from '../model/problem.ts';

/** Writes a line to standard output. Standard output carries results only; progress and logs go to standard error. */
export function print(command: Command, line: string): void {
  command.configureOutput().writeOut?.(`${line}\n`);
}

/**
 * Text that may quote what a registry or a file said: lines stay lines, and nothing in them acts on the terminal. A JSON
 * document is the same one with these escapes.
 */
export function forTerminal(text: string): string {
  return text.split('\n').map(escapeInvisible).join('\n');
}
