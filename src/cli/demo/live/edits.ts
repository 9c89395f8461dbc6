// Notices when somebody saves a policy file, to show how soon it took effect.

import { type FSWatcher, watch } from 'node:fs';
import { basename } from 'node:path';

/** A change of a decision this long after a save has another reason. */
const relatedMs = 5000;

export class Edits {
  #watcher: FSWatcher | undefined;
  #last: { readonly file: string; readonly at: number } | undefined;

  /** Starts watching a directory. Where the system does not let us, edits just go unnoticed here. */
  watch(directory: string): void {
    try {
      this.#watcher = watch(directory, (_event, file) => {
        if (file?.endsWith('.yaml') === true) this.saved(file, Date.now());
      });
      this.#watcher.on('error', () => {});
    } catch {
      this.#watcher = undefined;
    }
  }

  /** @param at milliseconds since 1970 */
  saved(file: string, at: number): void {
    this.#last = { file: basename(file), at };
  }

  /** `31 ms after gateway.yaml was saved`, when that is a likely reason for what happened at this moment. */
  reason(at: number): string | undefined {
    const last = this.#last;
    if (last === undefined || at < last.at || at - last.at > relatedMs) return undefined;
    return `${Math.round(at - last.at)} ms after ${last.file} was saved`;
  }

  close(): void {
    this.#watcher?.close();
  }
}
