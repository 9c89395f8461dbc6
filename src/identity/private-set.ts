// Private files that belong together, in a directory of their own. The set comes into being by one rename of a finished
// directory: a crash, a full disk or a second process leaves either no set or a whole one. Once there, it is only ever read.

import { join } from 'node:path';
import type { IdentityError } from './errors.ts';
import {
  checkPrivateDirectory,
  ensurePrivateDirectory,
  explained,
  isSystemError,
  nodeStorage,
  orMissing,
  privateDirectoryMode,
  readPrivateFile,
  type Storage,
  sweepTemporaries,
  syncDirectory,
  temporaryPath,
  writeNewPrivateFile,
} from './private-files.ts';

/** The largest, a root certificate with both signatures, has about 8 KB as PEM. */
const maxFileBytes = 64 * 1024;

export interface PrivateSetOptions<Part extends string> {
  /** Holds the set's own directory; created when it is not there. */
  readonly dir: string;
  /** Of the set's own directory. */
  readonly name: string;
  /** Every file of the set. */
  readonly fileNames: Readonly<Record<Part, string>>;
  readonly now: Date;
  readonly storage?: Storage | undefined;
  /** The content of a new set. */
  readonly make: (storage: Storage) => Readonly<Record<Part, string>>;
  /** What to say of a file that is not there. */
  readonly incomplete: (path: string, set: string) => IdentityError;
  /** What to say of a file that is none of ours, and why. */
  readonly corrupt: (reason: string, set: string) => IdentityError;
}

export interface OpenedSet<Part extends string> {
  readonly path: string;
  readonly files: Readonly<Record<Part, string>>;
  /** True when this call made the set. */
  readonly created: boolean;
}

/**
 * Reads the set of a directory, or makes one when the directory has none. Of several processes that start at once, one makes
 * the set and the others read it.
 * @throws IdentityError ERR_NOT_PRIVATE, ERR_WRONG_OWNER, ERR_STORAGE_FULL, and those that the options make
 */
export async function openPrivateSet<Part extends string>(
  options: PrivateSetOptions<Part>,
): Promise<OpenedSet<Part>> {
  const { dir, name, now, storage = nodeStorage } = options;
  await ensurePrivateDirectory(storage, dir);
  await sweepTemporaries(storage, dir, now);
  const path = join(dir, name);
  const created = !(await exists(storage, path)) && (await createSet(storage, path, options));
  return { path, created, files: await readSet(storage, path, options) };
}

/** Returns false when another process was faster. */
async function createSet<Part extends string>(
  storage: Storage,
  path: string,
  { dir, fileNames, make }: PrivateSetOptions<Part>,
): Promise<boolean> {
  const files = make(storage);
  const unfinished = temporaryPath(storage, dir);
  try {
    await storage.fs.mkdir(unfinished, { mode: privateDirectoryMode });
    for (const part of partsOf(fileNames)) {
      await writeNewPrivateFile(storage, join(unfinished, fileNames[part]), files[part]);
    }
    await syncDirectory(storage, unfinished);
    await storage.fs.rename(unfinished, path);
  } catch (error) {
    // The first error is the one to tell.
    await storage.fs.rm(unfinished, { recursive: true, force: true }).catch(() => {});
    // rename() replaces no directory that has something in it; and the winner may have swept ours away.
    if (isSystemError(error, 'ENOTEMPTY', 'EEXIST', 'ENOENT') && (await exists(storage, path))) return false;
    throw explained(error, path);
  }
  await syncDirectory(storage, dir);
  return true;
}

async function readSet<Part extends string>(
  storage: Storage,
  set: string,
  { fileNames, incomplete, corrupt }: PrivateSetOptions<Part>,
): Promise<Readonly<Record<Part, string>>> {
  await checkPrivateDirectory(storage, set);
  const read = async (part: Part): Promise<[Part, string]> => {
    const path = join(set, fileNames[part]);
    const content = await readPrivateFile(storage, path, maxFileBytes).catch((error: unknown) => {
      throw error instanceof RangeError ? corrupt(error.message, set) : error;
    });
    if (content === undefined) throw incomplete(path, set);
    return [part, content.toString('latin1')];
  };
  const entries: [Part, string][] = [];
  for (const part of partsOf(fileNames)) entries.push(await read(part));
  return Object.fromEntries(entries) as Record<Part, string>;
}

function partsOf<Part extends string>(fileNames: Readonly<Record<Part, string>>): Part[] {
  return Object.keys(fileNames) as Part[];
}

async function exists(storage: Storage, path: string): Promise<boolean> {
  return (await orMissing(storage.fs.lstat(path))) !== undefined;
}
