// Files that only their owner may read: keys, and records that decide who is who. Written so that a crash or a full disk
// leaves either the old state or the new one, and read only when nobody else could have written or read them.

import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import * as nodeFs from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { IdentityError } from './errors.ts';

/** The file operations this folder uses; tests put failures in between. */
export type FileSystem = Pick<
  typeof nodeFs,
  'open' | 'mkdir' | 'rename' | 'link' | 'rm' | 'readdir' | 'lstat' | 'stat'
>;

/** The edge of this folder: disk, the user it runs as, and the generator of unpredictable bytes. */
export interface Storage {
  readonly fs: FileSystem;
  /** The user who must own private files; undefined where the system has no user ids. */
  readonly uid: number | undefined;
  readonly randomBytes: (length: number) => Buffer;
}

export const nodeStorage: Storage = { fs: nodeFs, uid: process.geteuid?.(), randomBytes };

export const privateDirectoryMode = 0o700;
const fileMode = 0o600;
const groupAndOthers = 0o077;
const temporaryPrefix = '.tmp-';
/** Nothing takes this long to write: what is older was left behind by a process that was killed. */
export const temporaryMaxAgeMs = 10 * 60 * 1000;

/**
 * Makes the directory if it is missing, with its parents, and demands that only its owner can enter it.
 * @throws IdentityError ERR_NOT_PRIVATE, ERR_WRONG_OWNER, ERR_STORAGE_FULL
 */
export async function ensurePrivateDirectory(storage: Storage, path: string): Promise<void> {
  const created = await storage.fs
    .mkdir(path, { recursive: true, mode: privateDirectoryMode })
    .catch((error: unknown) => {
      throw explained(error, path);
    });
  if (created !== undefined) await syncDirectory(storage, dirname(created));
  await checkPrivateDirectory(storage, path);
}

/**
 * Demands that an existing directory can be entered by its owner only.
 * @throws IdentityError ERR_NOT_PRIVATE, ERR_WRONG_OWNER
 */
export async function checkPrivateDirectory(storage: Storage, path: string): Promise<void> {
  const stats = await storage.fs.stat(path);
  if (!stats.isDirectory()) throw new IdentityError('ERR_NOT_PRIVATE', `${path} is not a directory`);
  checkPrivate(storage, stats, `directory ${path}`, `chmod 700 ${path}`);
}

/**
 * The content of a file, or undefined when there is none. Refuses links, files of other users, and files that others
 * can read or write; all judged on the opened file, not on its name.
 * @throws IdentityError ERR_NOT_PRIVATE, ERR_WRONG_OWNER; RangeError above `maxBytes`
 */
export async function readPrivateFile(
  storage: Storage,
  path: string,
  maxBytes: number,
): Promise<Buffer | undefined> {
  // NONBLOCK: opening a pipe that nobody writes to must not hang.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await orMissing(storage.fs.open(path, flags)).catch((error: unknown) => {
    // What O_NOFOLLOW says about a symbolic link.
    if (!isSystemError(error, 'ELOOP')) throw error;
    throw new IdentityError('ERR_NOT_PRIVATE', `${path} is a link: put the file itself there`, {
      cause: error,
    });
  });
  if (file === undefined) return undefined;
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new IdentityError('ERR_NOT_PRIVATE', `${path} is not a regular file`);
    checkPrivate(storage, stats, `file ${path}`, `chmod 600 ${path}`);
    if (stats.size > maxBytes) throw new RangeError(`${path} is larger than ${maxBytes} bytes`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** Writes a new file and forces it to disk; fails when the name exists. Not atomic: for directories that nobody reads yet. */
export async function writeNewPrivateFile(storage: Storage, path: string, content: string): Promise<void> {
  const file = await storage.fs.open(path, 'wx', fileMode);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * Replaces or creates a file so that other processes, and the next start after a crash, see all of the new content or
 * the old state.
 * @throws IdentityError ERR_STORAGE_FULL; the old state is then unchanged
 */
export async function writePrivateFileAtomically(
  storage: Storage,
  path: string,
  content: string,
): Promise<void> {
  const directory = dirname(path);
  const temporary = temporaryPath(storage, directory);
  try {
    await writeNewPrivateFile(storage, temporary, content);
    await storage.fs.rename(temporary, path);
  } catch (error) {
    // The first error is the one to tell.
    await storage.fs.rm(temporary, { force: true }).catch(() => {});
    throw explained(error, path);
  }
  await syncDirectory(storage, directory);
}

/**
 * Creates a file so that of several processes that do exactly one succeeds, and others see all of it or nothing.
 * @returns false when the name exists
 * @throws IdentityError ERR_STORAGE_FULL; nothing was created then
 */
export async function createPrivateFileAtomically(
  storage: Storage,
  path: string,
  content: string,
): Promise<boolean> {
  const directory = dirname(path);
  const temporary = temporaryPath(storage, directory);
  try {
    await writeNewPrivateFile(storage, temporary, content);
    await storage.fs.link(temporary, path);
  } catch (error) {
    if (isSystemError(error, 'EEXIST')) return false;
    throw explained(error, path);
  } finally {
    // What stays behind is swept.
    await storage.fs.rm(temporary, { force: true }).catch(() => {});
  }
  await syncDirectory(storage, directory);
  return true;
}

/** A path in the directory for something unfinished, which nothing else has. */
export function temporaryPath(storage: Storage, directory: string): string {
  return join(directory, temporaryPrefix + storage.randomBytes(8).toString('hex'));
}

/** Removes what processes that were killed left unfinished; what may still be in the making stays. */
export async function sweepTemporaries(storage: Storage, directory: string, now: Date): Promise<void> {
  for (const name of await storage.fs.readdir(directory)) {
    if (!name.startsWith(temporaryPrefix)) continue;
    const path = join(directory, name);
    const stats = await orMissing(storage.fs.lstat(path));
    if (stats !== undefined && now.getTime() - stats.mtimeMs > temporaryMaxAgeMs) {
      await storage.fs.rm(path, { recursive: true, force: true });
    }
  }
}

/** Makes the names in a directory survive a loss of power. */
export async function syncDirectory(storage: Storage, path: string): Promise<void> {
  const directory = await storage.fs.open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Undefined where the operation finds nothing of that name. */
export async function orMissing<T>(operation: Promise<T>): Promise<T | undefined> {
  try {
    return await operation;
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
}

export function isSystemError(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.some((code) => error.code === code);
}

/** The same error, but for a full disk, of which people are told what it means here. */
export function explained(error: unknown, path: string): unknown {
  if (!isSystemError(error, 'ENOSPC', 'EDQUOT')) return error;
  const message = `no space left to write ${path}; nothing was changed: free some and try again`;
  return new IdentityError('ERR_STORAGE_FULL', message, { cause: error });
}

function checkPrivate(
  { uid }: Storage,
  stats: { readonly mode: number; readonly uid: number },
  what: string,
  remedy: string,
): void {
  if (uid !== undefined && stats.uid !== uid) {
    throw new IdentityError(
      'ERR_WRONG_OWNER',
      `the ${what} belongs to user ${stats.uid}, Trellis runs as user ${uid}: run it as that user, or chown it`,
    );
  }
  if ((stats.mode & groupAndOthers) !== 0) {
    const mode = (stats.mode & 0o777).toString(8);
    throw new IdentityError(
      'ERR_NOT_PRIVATE',
      `the ${what} is open to others (mode ${mode}): if nobody has used that, run ${remedy}`,
    );
  }
}
