// Secrets come from a file or from standard input, never from the command line, which other users can read.

import { stdin } from 'node:process';
import { SigningError } from '../signing/errors.ts';
import { readPrivateFile } from '../signing/keys/files.ts';
import { CliError } from './errors.ts';
import { namingFile } from './named-file.ts';

const defaultMaxBytes = 4096;

export interface SecretInput {
  /** What the secret is, as in "the join token". */
  readonly what: string;
  /** No such secret is longer. */
  readonly maxBytes?: number;
  /** What kind of fault an unusable one is: of the command line, or of what a service was given to run with. */
  readonly fault: 'ERR_USAGE' | 'ERR_CONFIGURATION';
}

/**
 * The content of the file, or of standard input for `-`, without the white space around it.
 * @throws CliError of the code `fault`
 */
export async function readSecret(file: string, input: SecretInput): Promise<string> {
  const isStdin = file === '-';
  const text = isStdin ? await readStdin(input) : await readSecretFile(file, input);
  const secret = text.trim();
  if (secret === '') {
    throw new CliError(input.fault, `${isStdin ? 'standard input' : `${input.what} ${file}`} is empty`, {
      hint: 'it must hold the secret, and nothing else',
    });
  }
  return secret;
}

/** No more of it than a secret can have: it may have no end. */
async function readStdin({ maxBytes = defaultMaxBytes, fault }: SecretInput): Promise<string> {
  let content = Buffer.alloc(0);
  for await (const chunk of stdin) {
    content = Buffer.concat([content, chunk as Buffer]);
    if (content.length > maxBytes)
      throw new CliError(fault, 'standard input is too long to hold a secret', {
        hint: 'give the secret and nothing else',
      });
  }
  return content.toString('utf8');
}

async function readSecretFile(
  path: string,
  { what, fault, maxBytes = defaultMaxBytes }: SecretInput,
): Promise<string> {
  try {
    return await namingFile(what, path, () => readPrivateFile(path, { what, maxBytes }), fault);
  } catch (error) {
    if (error instanceof SigningError) throw new CliError(fault, error.message, { cause: error });
    throw error;
  }
}
