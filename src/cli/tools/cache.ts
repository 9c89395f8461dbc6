// A directory of programs installed once and used by every later run. An entry appears whole, by one rename, so two
// installations at the same time cannot mix; what a crash or a full disk left half-done is recognized and redone.

import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { ToolError } from './errors.ts';

/** A staging directory this old belongs to an installation that died: no installation is allowed to take this long. */
const staleStagingMs = 60 * 60 * 1000;

/** How often another process may replace a damaged entry under our hands before we give up. */
const maxPlacements = 3;

/** `TRELLIS_CACHE`, else `trellis` in `XDG_CACHE_HOME`, else `~/.cache/trellis`. */
export function cacheDirectory(env: NodeJS.ProcessEnv): string {
  const own = env['TRELLIS_CACHE'];
  if (own !== undefined && own !== '') {
    if (isAbsolute(own)) return own;
    throw new ToolError('ERR_CACHE_DIRECTORY', `TRELLIS_CACHE=${own}: give an absolute path`);
  }
  // The XDG Base Directory Specification says to ignore a relative path.
  const xdg = env['XDG_CACHE_HOME'] ?? '';
  if (isAbsolute(xdg)) return join(xdg, 'trellis');
  return join(env['HOME'] || homedir(), '.cache', 'trellis');
}

export interface CacheEntry<T> {
  /** The cache directory; made when absent. */
  readonly cache: string;
  readonly name: string;
  /** What `directory` holds, or undefined when it is absent, incomplete or damaged. */
  readonly check: (directory: string) => Promise<T | undefined>;
  /** Fills an empty directory. */
  readonly install: (directory: string) => Promise<void>;
}

/** The checked content of an entry, installed first when need be. @throws ToolError */
export async function cached<T>(entry: CacheEntry<T>): Promise<T> {
  await prepareCache(entry.cache);
  const present = await entry.check(join(entry.cache, entry.name));
  if (present !== undefined) return present;
  await sweep(entry);
  const staging = await mkdtemp(join(entry.cache, stagingPrefix(entry)));
  try {
    await entry.install(staging);
    if ((await entry.check(staging)) === undefined) {
      throw new ToolError('ERR_TOOL_INSTALL', `${entry.name}: what was installed does not work`);
    }
    return await place(entry, staging);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

function stagingPrefix(entry: { readonly name: string }): string {
  return `.${entry.name}-`;
}

async function prepareCache(cache: string): Promise<void> {
  try {
    await mkdir(cache, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ToolError(
      'ERR_CACHE_DIRECTORY',
      `cannot make the cache directory ${cache} (${reason}): point TRELLIS_CACHE at a writable place`,
      { cause },
    );
  }
  // Programs in there are started with our rights: nobody else may have a hand in it.
  const { mode, uid } = await stat(cache);
  const foreign = process.getuid !== undefined && uid !== process.getuid() && uid !== 0;
  if (!foreign && (mode & 0o002) === 0) return;
  const why = foreign ? `belongs to another user (uid ${uid})` : 'can be written by anyone';
  throw new ToolError(
    'ERR_CACHE_DIRECTORY',
    `the cache directory ${cache} ${why}: repair that, or point TRELLIS_CACHE at a directory of your own`,
  );
}

/** Removes what installations that died have left. */
async function sweep(entry: { readonly cache: string; readonly name: string }): Promise<void> {
  const oldest = Date.now() - staleStagingMs;
  for (const name of await readdir(entry.cache)) {
    if (!name.startsWith(stagingPrefix(entry))) continue;
    const path = join(entry.cache, name);
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && found.mtimeMs < oldest) await rm(path, { recursive: true, force: true });
  }
}

/** Moves a good installation into place, unless another process has put one there in the meantime. */
async function place<T>(entry: CacheEntry<T>, staging: string): Promise<T> {
  const target = join(entry.cache, entry.name);
  for (let attempt = 0; attempt < maxPlacements; attempt += 1) {
    // The rename comes before any look at what is there: it is what decides who was first.
    const placed = await moveUnlessTaken(staging, target);
    const content = await entry.check(target);
    if (content !== undefined) return content;
    if (placed) break;
    await moveAside(entry, target);
  }
  throw new ToolError('ERR_TOOL_INSTALL', `${target} keeps changing: is something else writing to it?`);
}

async function moveUnlessTaken(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].some((code) => isNodeError(error, code))) return false;
    throw error;
  }
}

/** A rename rather than a removal: another process never sees the entry half gone. */
async function moveAside(
  entry: { readonly cache: string; readonly name: string },
  target: string,
): Promise<void> {
  const aside = await mkdtemp(join(entry.cache, stagingPrefix(entry)));
  try {
    await rename(target, join(aside, 'damaged'));
  } catch (error) {
    if (!isNodeError(error, 'ENOENT')) throw error;
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

function isNodeError(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
