// Every limit and delay of the file source, in one place.

/** Twice what etcd stores in one object: more is not a manifest, and parsing it would stall the control plane. */
export const maxFileBytes = 4 * 1024 * 1024;

/** A mesh of thousands of services fits; a home directory given by mistake does not. */
export const maxFiles = 10_000;
export const maxTotalBytes = 256 * 1024 * 1024;
export const maxDirectories = 1_000;
export const maxDepth = 16;

/** Documents of one file and items of its lists, together. */
export const maxObjectsPerFile = 20_000;

/** Aliases of one YAML document, and how often one anchor may come in through nested ones: "billion laughs" stays small. */
export const maxAliases = 100;

/** Delays of the watcher; tests shorten some. */
export interface Timing {
  /** A file or directory counts only when it has not changed for this long: nobody is writing it at the moment. */
  readonly settleMs: number;
  /** Events come in bursts; the first of a burst starts this delay. */
  readonly debounceMs: number;
  /** Safety net for file systems that send no events (network mounts). */
  readonly pollMs: number;
  /** The same, while the directory is away or cannot be watched. */
  readonly urgentPollMs: number;
  /** After this long of constant change it is said aloud that nothing takes effect. */
  readonly unstableMs: number;
  /**
   * A change that takes something away, which is also what a file looks like between two writes or between its deletion and
   * its successor, counts only when nothing in the directory has changed for this long. Longer than writers pause, and short
   * enough that a policy taken away on purpose is gone within a second.
   */
  readonly lossSettleMs: number;
}

export const defaultTiming: Timing = {
  settleMs: 50,
  debounceMs: 10,
  pollMs: 2_000,
  urgentPollMs: 100,
  unstableMs: 2_000,
  lossSettleMs: 500,
};
