// Key files on disk. Private ones are read only when nobody else could have, and nothing is ever overwritten: a lost key
// cannot be made again.

import { constants } from 'node:fs';
import * as nodeFs from 'node:fs/promises';
import { dirname } from 'node:path';
import type { SignatureAlgorithm } from '../../crypto/algorithms.ts';
import { SigningError } from '../errors.ts';

/** The file operations used here; tests put failures in between. */
export type KeyFileSystem = Pick<typeof nodeFs, 'open' | 'rm'>;

/** Above any key file, certificate bundle around a public key, or password. */
const maxFileBytes = 64 * 1024;
const groupAndOthers = 0o077;
export const privateMode = 0o600;
export const publicMode = 0o644;

/** How file names say the algorithm. */
export const algorithmSlugs: Readonly<Record<SignatureAlgorithm, string>> = {
  'ML-DSA-44': 'mldsa44',
  'ML-DSA-65': 'mldsa65',
  'ML-DSA-87': 'mldsa87',
  'ECDSA-P256': 'p256',
  'ECDSA-P384': 'p384',
};

/** `ci.mldsa65.key` and `ci.mldsa65.pub` of the prefix `ci`. */
export function keyFileNames(
  prefix: string,
  algorithm: SignatureAlgorithm,
): { readonly privateKey: string; readonly publicKey: string } {
  const stem = `${prefix}.${algorithmSlugs[algorithm]}`;
  return { privateKey: `${stem}.key`, publicKey: `${stem}.pub` };
}

export interface NewFile {
  readonly path: string;
  readonly content: string;
  /** `privateMode` or `publicMode`. */
  readonly mode: number;
}

/**
 * Writes new files and forces them to disk: all, or none.
 * @throws SigningError ERR_KEY_FILE_EXISTS; the file system's own errors
 */
export async function writeNewFiles(files: readonly NewFile[], fs: KeyFileSystem = nodeFs): Promise<void> {
  const written: string[] = [];
  try {
    for (const { path, content, mode } of files) {
      // Exclusive: also refuses a symbolic link, wherever it points.
      const file = await fs.open(path, 'wx', mode).catch((error: unknown) => {
        throw isExists(error) ? fileExistsError(path, error) : error;
      });
      written.push(path);
      try {
        // The mode that open takes is narrowed by the umask, and never by more than it should be.
        await file.writeFile(content);
        await file.sync();
      } finally {
        await file.close();
      }
    }
    for (const directory of new Set(files.map(({ path }) => dirname(path))))
      await syncDirectory(directory, fs);
  } catch (error) {
    // The first error is the one to tell.
    for (const path of written) await fs.rm(path, { force: true }).catch(() => {});
    throw error;
  }
}

/**
 * The text of a file with a private key, or another secret.
 * @param what the file is, for messages
 * @throws SigningError ERR_KEY_FILE_NOT_PRIVATE, ERR_KEY_FILE_INVALID; the file system's own errors
 */
export async function readPrivateFile(
  path: string,
  { what = 'the private key', maxBytes = maxFileBytes } = {},
): Promise<string> {
  return await readRegularFile(path, maxBytes, 'ERR_KEY_FILE_INVALID', ({ mode }) => {
    if ((mode & groupAndOthers) === 0) return;
    throw new SigningError(
      'ERR_KEY_FILE_NOT_PRIVATE',
      `${what} ${path} is open to others (mode ${(mode & 0o777).toString(8)}): if nobody has used that, run chmod 600 ${path}`,
    );
  });
}

/** The text of a file with a public key. @throws SigningError ERR_PUBLIC_KEY_INVALID; the file system's own errors */
export async function readPublicKeyFile(path: string): Promise<string> {
  return await readRegularFile(path, maxFileBytes, 'ERR_PUBLIC_KEY_INVALID', () => {});
}

async function readRegularFile(
  path: string,
  maxBytes: number,
  code: 'ERR_KEY_FILE_INVALID' | 'ERR_PUBLIC_KEY_INVALID',
  check: (stats: { readonly mode: number }) => void,
): Promise<string> {
  // NONBLOCK: opening a pipe that nobody writes to must not hang.
  const file = await nodeFs.open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    // Judged on the opened file, which nobody can exchange any more.
    const stats = await file.stat();
    if (!stats.isFile()) throw new SigningError(code, `${path} is not a regular file: give the file itself`);
    check(stats);
    if (stats.size > maxBytes)
      throw new SigningError(
        code,
        `${path} is larger than ${maxBytes} bytes: give the file that holds the key or secret and nothing else`,
      );
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

/** Makes the names survive a loss of power. */
async function syncDirectory(path: string, fs: KeyFileSystem): Promise<void> {
  const directory = await fs.open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function isExists(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EEXIST';
}

export function fileExistsError(path: string, cause?: unknown): SigningError {
  return new SigningError(
    'ERR_KEY_FILE_EXISTS',
    `${path} is there already and is never overwritten: move it away, or give another name; nothing was written`,
    cause,
  );
}
