// Secrets come from a file or from standard input, never from the command line, which other users can read.

import { open } from 'node:fs/promises';
import { stdin } from 'node:process';
import { CliError } from './errors.ts';

const defaultMaxBytes = 4096;
const othersMask = 0o077;

/**
 * The content of the file, or of standard input for `-`, without the white space around it.
 * @param maxBytes no such secret is longer
 * @throws CliError
 */
export async function readSecret(file: string, maxBytes = defaultMaxBytes): Promise<string> {
  const isStdin = file === '-';
  const secret = (isStdin ? await readStdin(maxBytes) : await readSecretFile(file, maxBytes)).trim();
  if (secret === '') {
    throw new CliError('ERR_CONFIGURATION', `${isStdin ? 'standard input' : file} is empty`, {
      hint: 'it must hold the secret, on one line',
    });
  }
  return secret;
}

/** No more of it than a secret can have: it may have no end. */
async function readStdin(maxBytes: number): Promise<string> {
  let content = Buffer.alloc(0);
  for await (const chunk of stdin) {
    content = Buffer.concat([content, chunk as Buffer]);
    if (content.length > maxBytes) throw tooLong('standard input');
  }
  return content.toString('utf8');
}

function tooLong(where: string): CliError {
  return new CliError('ERR_CONFIGURATION', `${where} is too long to hold a secret`, {
    hint: 'give the file that holds the secret and nothing else',
  });
}

async function readSecretFile(path: string, maxBytes: number): Promise<string> {
  const handle = await open(path, 'r');
  try {
    const { mode, size } = await handle.stat();
    if ((mode & othersMask) !== 0) {
      throw new CliError('ERR_CONFIGURATION', `${path} can be read by others`, {
        hint: `run chmod 600 ${path}`,
      });
    }
    if (size > maxBytes) throw tooLong(path);
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}
