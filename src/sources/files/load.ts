// One look at the directory: a snapshot of all its manifests that existed together, or why there is none.

import type { Manifest } from '../../model/manifest.ts';
import type { Problem } from '../../model/problem.ts';
import { type ParsedFile, parseManifestFile } from './document.ts';
import { directoryProblem, fileError } from './file-problem.ts';
import type { Timing } from './limits.ts';
import { type ReadResult, readUnchanged } from './read.ts';
import { type Scan, type Seen, scanDirectory, scanSignature } from './scan.ts';
import { type Clocks, SettleTracker } from './settle.ts';

export type Look =
  /** Something is being written; look again after so many milliseconds. */
  | {
      readonly kind: 'unsettled';
      readonly path: string;
      readonly waitMs: number;
      readonly directories: DirectoryMap;
    }
  /** The directory as a whole cannot be used. */
  | { readonly kind: 'failed'; readonly problem: Problem; readonly directories: DirectoryMap }
  /** The same as last time. */
  | { readonly kind: 'unchanged'; readonly quietMs: number; readonly directories: DirectoryMap }
  | {
      readonly kind: 'snapshot';
      readonly snapshot: Snapshot;
      /** For how long, as watched by us and whatever the file times say, nothing in the directory has changed. */
      readonly quietMs: number;
      readonly directories: DirectoryMap;
    };

/** Paths of the directories to watch. */
type DirectoryMap = ReadonlyMap<string, Seen>;

export interface Snapshot {
  readonly manifests: readonly Manifest[];
  readonly problems: readonly Problem[];
  /** How many files there are, good or bad. */
  readonly fileCount: number;
  /** Files whose contents are not those of the previous snapshot. */
  readonly changed: ReadonlySet<string>;
  /** Files that end in the middle of a line, as one whose writer has been interrupted mostly does. */
  readonly cutShort: ReadonlySet<string>;
}

interface SignedFile extends ParsedFile {
  readonly signature: string;
  readonly cutShort: boolean;
  /** The failure was the system's, not the file's. */
  readonly retry: boolean;
}

/** Looks at one directory again and again; parses only what changed since. */
export class DirectoryReader {
  readonly #readUnchanged: typeof readUnchanged;
  readonly #directory: string;
  readonly #clocks: Clocks;
  readonly #settle: SettleTracker;
  #parsed: ReadonlyMap<string, SignedFile> | undefined;
  #last: string | undefined;
  #seen: { readonly signature: string; readonly since: number } | undefined;

  /** `read` is how files are read; tests make it fail. */
  constructor(
    directory: string,
    clocks: Clocks,
    timing: Pick<Timing, 'settleMs'>,
    read: typeof readUnchanged = readUnchanged,
  ) {
    this.#readUnchanged = read;
    this.#directory = directory;
    this.#clocks = clocks;
    this.#settle = new SettleTracker(clocks, timing.settleMs);
  }

  async look(): Promise<Look> {
    const scan = await scanDirectory(this.#directory);
    const { directories } = scan;
    const signature = scanSignature(scan);
    // Both are told about every scan, failed ones too.
    const quietSince = this.#quietSince(signature);
    const unsettled = this.#settle.unsettled([...scan.files, ...directories]);
    if (scan.failure !== undefined) {
      return { kind: 'failed', problem: failureProblem(scan.failure), directories };
    }
    const quietMs = () => this.#clocks.monotonic() - quietSince;
    if (signature === this.#last) return { kind: 'unchanged', quietMs: quietMs(), directories };
    if (unsettled !== undefined) return { kind: 'unsettled', ...unsettled, directories };

    const parsed = await this.#read(scan);
    // Files are read one after the other; only if nothing changed from first to last did they exist together.
    const consistent =
      parsed !== undefined && scanSignature(await scanDirectory(this.#directory)) === signature;
    if (!consistent) return { kind: 'unsettled', path: this.#directory, waitMs: 0, directories };
    const before = this.#parsed;
    this.#parsed = parsed;
    // What could not be read may be readable the next time, without any change to show for it.
    this.#last = [...parsed.values()].some((file) => file.retry) ? undefined : signature;
    if (before !== undefined && sameFiles(before, parsed)) {
      return { kind: 'unchanged', quietMs: quietMs(), directories };
    }
    return { kind: 'snapshot', snapshot: snapshotOf(parsed, before), quietMs: quietMs(), directories };
  }

  /** By observation only: file times can come from another machine's clock, or a change leave them as they were. */
  #quietSince(signature: string): number {
    if (this.#seen?.signature !== signature) this.#seen = { signature, since: this.#clocks.monotonic() };
    return this.#seen.since;
  }

  /** Undefined when a file changed under our hands. */
  async #read(scan: Scan): Promise<ReadonlyMap<string, SignedFile> | undefined> {
    const parsed = new Map<string, SignedFile>();
    for (const [path, { signature, failure }] of scan.files) {
      const known = this.#parsed?.get(path);
      if (known?.signature === signature && !known.retry) {
        parsed.set(path, known);
        continue;
      }
      const file =
        failure === undefined
          ? signed(path, signature, await this.#readUnchanged(path, signature))
          : unusable(path, signature, failure);
      if (file === undefined) return undefined;
      parsed.set(path, known !== undefined && isSameFailure(known, file) ? known : file);
    }
    return parsed;
  }
}

function snapshotOf(
  parsed: ReadonlyMap<string, SignedFile>,
  before: ReadonlyMap<string, SignedFile> | undefined,
): Snapshot {
  const files = [...parsed.values()];
  return {
    manifests: files.flatMap((file) => file.manifests),
    problems: files.flatMap((file) => file.problems),
    fileCount: files.length,
    changed: new Set([...parsed].filter(([path, file]) => before?.get(path) !== file).map(([path]) => path)),
    cutShort: new Set([...parsed].filter(([, file]) => file.cutShort).map(([path]) => path)),
  };
}

function sameFiles(a: ReadonlyMap<string, SignedFile>, b: ReadonlyMap<string, SignedFile>): boolean {
  return a.size === b.size && [...b].every(([path, file]) => a.get(path) === file);
}

function isSameFailure(a: SignedFile, b: SignedFile): boolean {
  return (
    a.retry && b.retry && a.signature === b.signature && a.problems[0]?.message === b.problems[0]?.message
  );
}

function signed(path: string, signature: string, result: ReadResult): SignedFile | undefined {
  if ('changed' in result) return undefined;
  if ('text' in result) {
    const cutShort = endsMidLine(result.text);
    return { ...parseManifestFile(path, result.text), signature, cutShort, retry: false };
  }
  const problems = [fileError(result.code, path, result.failure)];
  return { manifests: [], problems, signature, cutShort: false, retry: result.code === 'UnreadableFile' };
}

/** Cut off there, a value can still be a valid one: port 8080 becomes 80, a path glob a shorter one. Brackets are complete. */
function endsMidLine(text: string): boolean {
  return /[^\n}\]]$/.test(text.slice(-1));
}

function unusable(path: string, signature: string, failure: string): SignedFile {
  const problems = [fileError('UnreadableFile', path, `${failure}; mend or remove it`)];
  return { manifests: [], problems, signature, cutShort: false, retry: false };
}

function failureProblem({ kind, message }: NonNullable<Scan['failure']>): Problem {
  return directoryProblem('error', kind === 'limit' ? 'LimitExceeded' : 'UnreadableDirectory', message);
}
