// Events from every directory of the tree. One watch per directory rather than `recursive`: it reaches directories behind
// symbolic links, and one that is replaced is watched again.

import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { errorCode } from './file-problem.ts';
import type { Seen } from './scan.ts';

export class DirectoryWatches {
  readonly #root: string;
  readonly #onEvent: () => void;
  readonly #watches = new Map<string, { readonly identity: string; readonly watcher: FSWatcher }>();
  #failure: string | undefined;

  /** `onEvent` is called whenever something may have changed. */
  constructor(root: string, onEvent: () => void) {
    this.#root = resolve(root);
    this.#onEvent = onEvent;
  }

  /** Why some directory is not watched (such as the system's limit on watches); undefined when all are. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Watches these directories and no others. True when a watch is new, so that a change may have been missed before. */
  update(directories: ReadonlyMap<string, Seen>): boolean {
    this.#failure = undefined;
    const wanted = new Map([...directories].map(([path, seen]) => [resolve(path), seen.identity]));
    // The directory itself may be renamed, or be a link that is turned elsewhere: its parent tells.
    const parent = dirname(this.#root);
    if (!wanted.has(parent)) wanted.set(parent, 'parent');
    for (const [path, { identity, watcher }] of this.#watches) {
      if (wanted.get(path) === identity) continue;
      watcher.close();
      this.#watches.delete(path);
    }
    let added = false;
    for (const [path, identity] of wanted) {
      if (!this.#watches.has(path)) added = this.#add(path, identity) || added;
    }
    return added;
  }

  close(): void {
    for (const { watcher } of this.#watches.values()) watcher.close();
    this.#watches.clear();
  }

  #add(path: string, identity: string): boolean {
    const isParent = identity === 'parent';
    try {
      const watcher = watch(path, { persistent: true }, (_, name) => {
        if (!isParent || name === null || name === basename(this.#root)) this.#onEvent();
      });
      watcher.on('error', () => {
        this.#watches.delete(path);
        watcher.close();
        this.#onEvent();
      });
      this.#watches.set(path, { identity, watcher });
      return true;
    } catch (cause) {
      // A parent that is away or closed to us only costs speed: the poll sees what it would have told.
      if (!isParent) this.#failure = `${path} cannot be watched (${errorCode(cause)})`;
      return false;
    }
  }
}
