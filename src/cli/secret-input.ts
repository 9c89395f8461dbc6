// Secrets come from a file or from standard input, never from the command line, which other users can read.

import { open } from 'node:fs/promises';
import { stdin } from 'node:process';
import { text } from 'node:stream/consumers';
import { CliError } from './errors.ts';

const maxSecretBytes = 4096;
const othersMask = 0o077;

/** The first line of the file, or of standard input for `-`. @throws CliError */
export async function readSecret(file: string): Promise<string> {
  const content = file === '-' ? await text(stdin) : await readSecretFile(file);
  const secret = content.trim();
  if (secret === '' || content.length > maxSecretBytes) {
    throw new CliError(
      'ERR_CONFIGURATION',
      `${file === '-' ? 'standard input' : file} does not hold a secret`,
    );
  }
  return secret;
}

async function readSecretFile(path: string): Promise<string> {
  const handle = await open(path, 'r');
  try {
    const { mode, size } = await handle.stat();
    if ((mode & othersMask) !== 0) {
      throw new CliError('ERR_CONFIGURATION', `${path} can be read by others`, {
        hint: `run chmod 600 ${path}`,
      });
    }
    if (size > maxSecretBytes)
      throw new CliError('ERR_CONFIGURATION', `${path} is too long to hold a secret`);
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}
