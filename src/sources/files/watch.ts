// A directory of manifests as the desired state of the mesh, kept current.
//
// Whatever goes wrong, the last good state of the whole mesh stays in force: half of an edit is never applied. Writers
// should write beside the file and rename; a file that is written in place counts once it has been left alone for a moment,
// and what takes something away, as a half-written file does, once the whole directory has been (see loss.ts).

import type { MeshOptions } from '../../model/build.ts';
import type { MeshState } from '../../model/mesh.ts';
import type { Problem } from '../../model/problem.ts';
import { directoryProblem } from './file-problem.ts';
import { defaultTiming, type Timing } from './limits.ts';
import { DirectoryReader, type Look, type Snapshot } from './load.ts';
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
  #reader: DirectoryReader;
  readonly #watches: DirectoryWatches;
  readonly #firstLook = Promise.withResolvers<void>();
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #looking = false;
  #eventMeanwhile = false;
  #closed = false;
  #unsettledSince: number | undefined;
  /** The newest snapshot, while it takes something away that may come back any moment. */
  #held: { readonly snapshot: Snapshot; readonly loss: string } | undefined;

  constructor(directory: string, state: ManifestState, timing: Timing, clocks: Clocks) {
    this.#directory = directory;
    this.#state = state;
    this.#timing = timing;
    this.#clocks = clocks;
    this.#reader = this.#newReader();
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
    this.#timer = setTimeout(() => void this.#lookSafely(), delayMs);
  }

  #newReader(): DirectoryReader {
    return new DirectoryReader(this.#directory, this.#clocks, this.#timing);
  }

  /** A look that throws is a defect of ours. It ends neither the process nor the watch: what is in force stays, and is said. */
  async #lookSafely(): Promise<void> {
    try {
      await this.#look();
    } catch (error) {
      this.#looking = false;
      if (this.#closed) return;
      this.#sayFailed(error);
      this.#firstLook.resolve();
      // It would take for known what never came into force.
      this.#reader = this.#newReader();
      this.#schedule(this.#timing.urgentPollMs);
    }
  }

  #sayFailed(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const message = `${this.#directory} cannot be taken over, so nothing that is written takes effect: ${reason}`;
    try {
      this.#state.setDirectoryProblem(directoryProblem('error', 'UnreadableDirectory', message));
    } catch {
      // Then it is saying things that fails; the next look says it again.
    }
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
      this.#wait(look.path);
      return;
    }
    if (look.kind === 'failed') this.#state.setDirectoryProblem(look.problem);
    else if (look.kind === 'snapshot') this.#accept(this.#withHeld(look.snapshot), look.quietMs);
    else if (this.#held === undefined) this.#state.setDirectoryProblem(undefined);
    else if (this.#isQuiet(look.quietMs)) this.#accept(this.#held.snapshot, look.quietMs);
    if (look.kind !== 'failed' && this.#held !== undefined) {
      this.#wait(this.#directory);
      return;
    }
    this.#unsettledSince = undefined;
    this.#firstLook.resolve();
  }

  #accept(snapshot: Snapshot, quietMs: number): void {
    const loss = this.#state.accept(snapshot, this.#directory, this.#isQuiet(quietMs));
    this.#held = loss === undefined ? undefined : { snapshot, loss };
  }

  #isQuiet(quietMs: number): boolean {
    return quietMs >= this.#timing.lossSettleMs;
  }

  /** What changed in a snapshot that never counted has changed in the one that takes its place. */
  #withHeld(snapshot: Snapshot): Snapshot {
    if (this.#held === undefined) return snapshot;
    return { ...snapshot, changed: this.#held.snapshot.changed.union(snapshot.changed) };
  }

  #wait(path: string): void {
    const now = this.#clocks.monotonic();
    this.#unsettledSince ??= now;
    if (now - this.#unsettledSince < this.#timing.unstableMs) return;
    const loss = this.#held === undefined ? '' : `${this.#held.loss}, and `;
    const message = `${loss}${path} does not stop changing, so nothing that is written takes effect; move finished files into place, all at once`;
    this.#state.setDirectoryProblem(directoryProblem('error', 'UnstableFile', message));
    this.#firstLook.resolve();
  }

  #pauseAfter(look: Look, tookMs: number): number {
    const { debounceMs, pollMs, urgentPollMs, lossSettleMs } = this.#timing;
    if (look.kind === 'unsettled') return Math.max(Math.ceil(look.waitMs), debounceMs);
    if (this.#held !== undefined && look.kind !== 'failed') {
      return Math.max(Math.ceil(lossSettleMs - look.quietMs), debounceMs);
    }
    const isUrgent = look.kind === 'failed' || this.#watches.failure !== undefined;
    return Math.max(isUrgent ? urgentPollMs : pollMs, tookMs * idleFactor);
  }
}

/** Idle polling takes at most a tenth of a core, though a look at ten thousand files takes a while. */
const idleFactor = 10;
