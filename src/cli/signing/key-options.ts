// `--key`: files, env://NAME, and keys in a key management service.

import type { Command } from 'commander';

export function addKeyOption(command: Command, description: string): Command {
  return command.option(
    '--key <key>',
    description,
    (text: string, before: readonly string[]) => [...before, text],
    [],
  );
}
