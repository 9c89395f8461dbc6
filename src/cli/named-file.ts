// Files that a command line names: what is wrong with one is the user's to mend, so it is a usage error (exit code 2) that
// says which file, and what for.

import { createReadStream } from 'node:fs';
import { CliError, type CliErrorCode } from './errors.ts';

/**
 * Runs `open`; a failure of the file system becomes a message that names the file.
 * @param what the file is, as in "the key"
 * @param asCode where it is no usage error
 * @throws CliError; whatever else `open` throws
 */
export async function namingFile<T>(
  what: string,
  path: string,
  open: () => Promise<T>,
  asCode: CliErrorCode = 'ERR_USAGE',
): Promise<T> {
  try {
    return await open();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const why = whyNot.get(String(code));
    if (why === undefined) throw error;
    throw new CliError(asCode, `${what} ${path}: ${why}`, { cause: error });
  }
}

const whyNot: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'there is no such file'],
  ['ENOTDIR', 'there is no such file'],
  ['ENAMETOOLONG', 'there is no such file'],
  ['EISDIR', 'it is a directory; give a file'],
  ['EACCES', 'this user may not read it'],
  ['EPERM', 'this user may not read it'],
  ['ELOOP', 'it is a link that leads to itself'],
]);

/**
 * The bytes of a file that holds no secret, or of a pipe in its place; `-` is standard input.
 * @throws CliError ERR_USAGE when it cannot be read, or is larger than it may be
 */
export async function readNamedFile(what: string, path: string, maxBytes: number): Promise<Buffer> {
  return await namingFile(what, path, async () => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    // Counted as it is read: devices and pipes have no size, and some have no end.
    const content = path === '-' ? process.stdin : createReadStream(path);
    for await (const chunk of content as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes)
        throw new CliError('ERR_USAGE', `${what} ${path} is larger than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  });
}
