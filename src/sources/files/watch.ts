// A directory of manifests as the desired state of the mesh, kept current.
//
// Whatever goes wrong, the last good state of the whole mesh stays in force: half of an edit is never applied. Writers
// should write beside the file and rename; a file that is written in place counts once it has been left alone for a moment.

import type { MeshOptions } from '../../model/build.ts';
import type { MeshState } from '../../model/mesh.ts';
import type { Problem } from '../../model/problem.ts';
import { directoryProblem } from './file-problem.ts';
import { defaultTiming, type Timing } from './limits.ts';
import { DirectoryReader, type Look } from './load.ts';
import { type ManifestReporter, ManifestState } from './manifest-state.ts';
import type { Clocks } from './settle.ts';
import { DirectoryWatches } from './watch-directories.ts';

export interface WatchManifestsOptions {
  readonly directory: string;
  readonly mesh: MeshOptions;
  readonly report: ManifestReporter;
  /** Ends the watch. */
  readonly signal: AbortSignal;
  readonly timing?: Partial<Timing>;
  readonly clocks?: Clocks;
}

export interface ManifestSource {
  /** The last good state; undefined until there was one. The same object as long as nothing changes. */
  current(): MeshState | undefined;
  /** Calls back after every change of `current()`; the listener must not throw. Returns the unsubscribe. */
  onChange(listener: (state: MeshState) => void): () => void;
  /** What is wrong at the moment with what is written, whether or not it is in force. */
  problems(): readonly Problem[];
}

/** Resolves after the first look, be it good or bad: see `current()` and `problems()`. */
export async function watchManifests(options: WatchManifestsOptions): Promise<ManifestSource> {
  const { directory, mesh, report, signal } = options;
  const timing = { ...defaultTiming, ...options.timing };
  const clocks = options.clocks ?? { now: () => Date.now(), monotonic: () => performance.now() };
  const state = new ManifestState(mesh, report);
  const loop = new WatchLoop(directory, state, timing, clocks);
  signal.addEventListener('abort', () => loop.close(), { once: true });
  if (signal.aborted) loop.close();
  await loop.start();
  return state;
}

/** Looks at the directory whenever there is a reason to; one look at a time. */
class WatchLoop {
  readonly #directory: string;
  readonly #state: ManifestState;
  readonly #timing: Timing;
  readonly #clocks: Clocks;
  readonly #reader: DirectoryReader;
  readonly #watches: DirectoryWatches;
  readonly #firstLook = Promise.withResolvers<void>();
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #looking = false;
  #eventMeanwhile = false;
  #closed = false;
  #unsettledSince: number | undefined;

  constructor(directory: string, state: ManifestState, timing: Timing, clocks: Clocks) {
    this.#directory = directory;
    this.#state = state;
    this.#timing = timing;
    this.#clocks = clocks;
    this.#reader = new DirectoryReader(directory, clocks, timing);
    this.#watches = new DirectoryWatches(directory, () => this.#onEvent());
  }

  start(): Promise<void> {
    this.#schedule(0);
    return this.#firstLook.promise;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#watches.close();
    this.#firstLook.resolve();
  }

  #onEvent(): void {
    if (this.#looking) this.#eventMeanwhile = true;
    else this.#schedule(this.#timing.debounceMs);
  }

  #schedule(delayMs: number): void {
    const at = this.#clocks.monotonic() + delayMs;
    if (this.#closed || at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => void this.#look(), delayMs);
  }

  async #look(): Promise<void> {
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#looking = true;
    this.#eventMeanwhile = false;
    const started = this.#clocks.monotonic();
    const look = await this.#reader.look();
    const tookMs = this.#clocks.monotonic() - started;
    this.#looking = false;
    if (this.#closed) return;
    this.#apply(look);
    const watchesAreNew = this.#watches.update(look.directories);
    const again = this.#eventMeanwhile || watchesAreNew;
    // However large the directory and however often it changes, looking takes at most half of a core.
    this.#schedule(Math.max(tookMs, again ? this.#timing.debounceMs : this.#pauseAfter(look, tookMs)));
  }

  #apply(look: Look): void {
    if (look.kind === 'unsettled') {
      this.#applyUnsettled(look.path);
      return;
    }
    this.#unsettledSince = undefined;
    if (look.kind === 'snapshot') this.#state.accept(look.snapshot, this.#directory);
    else this.#state.setDirectoryProblem(look.kind === 'failed' ? look.problem : undefined);
    this.#firstLook.resolve();
  }

  #applyUnsettled(path: string): void {
    const now = this.#clocks.monotonic();
    this.#unsettledSince ??= now;
    if (now - this.#unsettledSince < this.#timing.unstableMs) return;
    const message = `${path} does not stop changing, so nothing that is written takes effect; write beside it and rename`;
    this.#state.setDirectoryProblem(directoryProblem('error', 'UnstableFile', message));
    this.#firstLook.resolve();
  }

  #pauseAfter(look: Look, tookMs: number): number {
    const { debounceMs, pollMs, urgentPollMs } = this.#timing;
    if (look.kind === 'unsettled') return Math.max(Math.ceil(look.waitMs), debounceMs);
    const isUrgent = look.kind === 'failed' || this.#watches.failure !== undefined;
    return Math.max(isUrgent ? urgentPollMs : pollMs, tookMs * idleFactor);
  }
}

/** Idle polling takes at most a tenth of a core, though a look at ten thousand files takes a while. */
const idleFactor = 10;
