// The one way a command writes its result: through its program, so that tests can read it.

import type { Command } from 'commander';
import { escapeInvisible } from '../model/problem.ts';

/** Writes a line to standard output. Standard output carries results only; progress and logs go to standard error. */
export function print(command: Command, line: string): void {
  command.configureOutput().writeOut?.(`${line}\n`);
}

/** Writes one JSON document. Every field is there always: what is not known, or does not apply, is null. */
export function printJson(command: Command, document: object): void {
  const text = JSON.stringify(document, (_, value: unknown) => (value === undefined ? null : value), 2);
  print(command, forTerminal(text));
}

/**
 * Text that may quote what a registry or a file said: lines stay lines, and nothing in them acts on the terminal. A JSON
 * document is the same one with these escapes.
 */
export function forTerminal(text: string): string {
  return text.split('\n').map(escapeInvisible).join('\n');
}
