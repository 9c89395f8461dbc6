// Files that a signing command names: what is wrong with one is the user's to mend, so it is a usage error (exit code 2).

import { readFile, stat } from 'node:fs/promises';
import { CliError } from '../errors.ts';

/**
 * Runs `open`; a failure of the file system becomes a message that names the option's file.
 * @param what the file is, as in "the key"
 */
export async function usable<T>(what: string, path: string, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const why = whyNot[String(code)];
    if (why === undefined) throw error;
    throw new CliError('ERR_USAGE', `${what} ${path}: ${why}`, { cause: error });
  }
}

const whyNot: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EISDIR: 'it is a directory; give a file',
  EACCES: 'this user may not read it',
  EPERM: 'this user may not read it',
  ELOOP: 'it is a link that leads to itself',
  ENAMETOOLONG: 'there is no such file',
};

/** The bytes of a file that is no larger than it may be. @throws CliError ERR_USAGE */
export async function readBounded(what: string, path: string, maxBytes: number): Promise<Buffer> {
  return await usable(what, path, async () => {
    const { size } = await stat(path);
    if (size > maxBytes) throw new CliError('ERR_USAGE', `${what} ${path} is larger than ${maxBytes} bytes`);
    return await readFile(path);
  });
}
