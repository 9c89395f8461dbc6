// How long a change of the mesh takes to reach the proxies it concerns: from the new state to a proxy's acknowledgement.

import type { Snapshot, SnapshotSource } from '../xds/resources.ts';

export class PushDelay {
  readonly #now: () => number;
  /** Snapshots that were made because of a change, and when the change came. */
  readonly #changedAt = new WeakMap<Snapshot, number>();
  #changing: number | undefined;

  /** @param now milliseconds, monotonic */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Runs `update`, in which subscribers take their new snapshots. */
  during(update: () => void): void {
    this.#changing = this.#now();
    try {
      update();
    } finally {
      this.#changing = undefined;
    }
  }

  /** The same source, with a note on every snapshot that a change brought; what a proxy gets on connecting is no delay. */
  watch(source: SnapshotSource): SnapshotSource {
    return {
      current: () => {
        const snapshot = source.current();
        if (this.#changing !== undefined) this.#changedAt.set(snapshot, this.#changing);
        return snapshot;
      },
      onChange: (listener) => source.onChange(listener),
    };
  }

  /** Seconds since the change that brought this snapshot, when it was a change that did. */
  secondsSince(snapshot: Snapshot): number | undefined {
    const changedAt = this.#changedAt.get(snapshot);
    return changedAt === undefined ? undefined : (this.#now() - changedAt) / 1000;
  }
}
