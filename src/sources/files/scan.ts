// What is in the directory at one moment: names and signatures, no contents.

import type { BigIntStats, Dirent } from 'node:fs';
import { lstat, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from './file-problem.ts';
import { maxDepth, maxDirectories, maxFiles, maxTotalBytes } from './limits.ts';

/** A file or directory as `stat` shows it. Equal signatures mean: nothing was written, replaced or renamed here. */
export interface Seen {
  readonly signature: string;
  /** The same as long as it is the same file or directory, whatever becomes of its contents. */
  readonly identity: string;
  /** Milliseconds since the epoch. */
  readonly changedAt: number;
  /** Why it cannot be used; it is listed all the same, for a manifest that went missing is a change. */
  readonly failure: string | undefined;
}

export interface Scan {
  /** By path, sorted. */
  readonly files: ReadonlyMap<string, Seen>;
  readonly directories: ReadonlyMap<string, Seen>;
  /** A limit that was met, or a directory that cannot be read: the scan is not complete. */
  readonly failure: ScanFailure | undefined;
}

export interface ScanFailure {
  readonly kind: 'unreadable' | 'limit';
  readonly message: string;
}

/** Walks the directory, following symbolic links (a ConfigMap volume is made of them). Hidden entries do not count. */
export async function scanDirectory(root: string): Promise<Scan> {
  const walk: Walk = { files: new Map(), directories: new Map(), bytes: 0n, failure: undefined };
  await visit(root, [], walk);
  const sorted = (seen: ReadonlyMap<string, Seen>) => new Map([...seen].sort(([a], [b]) => (a < b ? -1 : 1)));
  return { files: sorted(walk.files), directories: sorted(walk.directories), failure: walk.failure };
}

/** One text that changes when anything in the scan does. */
export function scanSignature(scan: Scan): string {
  const lines = (seen: ReadonlyMap<string, Seen>) =>
    [...seen].map(([path, { signature }]) => `${path}\0${signature}`);
  return [...lines(scan.files), '', ...lines(scan.directories), scan.failure?.message ?? ''].join('\n');
}

/** Equal for the same bytes in the same place. The inode's change time cannot be set by programs, unlike the other. */
export function signatureOf(stats: BigIntStats): string {
  return [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(':');
}

interface Walk {
  readonly files: Map<string, Seen>;
  readonly directories: Map<string, Seen>;
  bytes: bigint;
  failure: ScanFailure | undefined;
}

async function visit(directory: string, above: readonly string[], walk: Walk): Promise<void> {
  let entries: Dirent[];
  let stats: BigIntStats;
  try {
    stats = await stat(directory, { bigint: true });
    entries = await readdir(directory, { withFileTypes: true });
  } catch (cause) {
    walk.failure ??= {
      kind: 'unreadable',
      message: `directory ${directory} cannot be read (${errorCode(cause)}); create it, correct the path or its permissions`,
    };
    return;
  }
  const identity = `${stats.dev}:${stats.ino}`;
  // A link that leads back up has been seen already.
  if (above.includes(identity)) return;
  walk.directories.set(directory, seen(stats));
  if (walk.directories.size > maxDirectories) limit(walk, `more than ${maxDirectories} directories`);
  if (above.length >= maxDepth) limit(walk, `directories nested deeper than ${maxDepth}`);
  for (const entry of entries) {
    if (walk.failure !== undefined) return;
    await visitEntry(join(directory, entry.name), entry, [...above, identity], walk);
  }
}

async function visitEntry(path: string, entry: Dirent, above: readonly string[], walk: Walk): Promise<void> {
  // Editors' swap and lock files, `.git`, and the `..data` folders of ConfigMap volumes, whose files are linked from above.
  if (entry.name.startsWith('.')) return;
  if (entry.isDirectory()) return visit(path, above, walk);
  const isManifest = /\.(yaml|yml|json)$/i.test(entry.name);
  if (!isManifest && !entry.isSymbolicLink()) return;
  const found = await look(path);
  if (found === undefined) return;
  if (found.stats.isDirectory()) return visit(path, above, walk);
  if (!isManifest) return;
  walk.files.set(path, found.seen);
  walk.bytes += found.stats.size;
  if (walk.files.size > maxFiles) limit(walk, `more than ${maxFiles} manifest files`);
  if (walk.bytes > maxTotalBytes) limit(walk, `more than ${maxTotalBytes} bytes of manifests`);
}

/** Undefined when the entry is gone by now: then its directory has changed too, and the next scan sees that. */
async function look(path: string): Promise<{ readonly stats: BigIntStats; readonly seen: Seen } | undefined> {
  try {
    const stats = await stat(path, { bigint: true });
    const failure = stats.isFile() ? undefined : 'it is not a regular file';
    return { stats, seen: { ...seen(stats), failure } };
  } catch (cause) {
    const link = await lstat(path, { bigint: true }).catch(() => undefined);
    if (link === undefined) return undefined;
    const failure = `the link leads nowhere (${errorCode(cause)})`;
    return { stats: link, seen: { ...seen(link), signature: `${signatureOf(link)}:${failure}`, failure } };
  }
}

function seen(stats: BigIntStats): Seen {
  return {
    signature: signatureOf(stats),
    // Inode numbers are used again at once; the time of birth tells a directory from its successor.
    identity: [stats.dev, stats.ino, stats.birthtimeNs].join(':'),
    changedAt: Math.max(Number(stats.mtimeMs), Number(stats.ctimeMs)),
    failure: undefined,
  };
}

function limit(walk: Walk, message: string): void {
  walk.failure ??= { kind: 'limit', message: `${message}; is this the right directory?` };
}
