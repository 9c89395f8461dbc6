// `--key` and `--password-file`, the same in every command: files, env://NAME, and keys in a key management service.

import type { Command } from 'commander';

/** Private keys to sign with, and the password of their files. */
export function addSigningKeyOptions(command: Command): Command {
  const keys = addKeyOption(
    command,
    'a signing key: a key file of trellis keygen or cosign, env://NAME, awskms:// or gcpkms://; once for each key',
  );
  return addPasswordFileOption(keys);
}

/** Public keys to verify with. */
export function addPublicKeyOption(command: Command): Command {
  return addKeyOption(
    command,
    'a public key: a file, env://NAME, awskms:// or gcpkms://; all keys given must have signed together',
  );
}

export function addPasswordFileOption(command: Command): Command {
  return command.option(
    '--password-file <file>',
    'holds the password of the key files, - is standard input (else TRELLIS_PASSWORD, COSIGN_PASSWORD, or a prompt)',
  );
}

function addKeyOption(command: Command, description: string): Command {
  const collect = (text: string, before: readonly string[]) => [...before, text];
  return command.option('--key <key>', description, collect, []);
}
