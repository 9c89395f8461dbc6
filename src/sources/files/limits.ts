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

/** YAML aliases may expand to at most this many nodes: "billion laughs" stays small. */
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
  /** A directory that loses its last manifest counts as empty only then: replacing it file by file passes through empty. */
  readonly emptySettleMs: number;
}

export const defaultTiming: Timing = {
  settleMs: 50,
  debounceMs: 10,
  pollMs: 2_000,
  urgentPollMs: 100,
  unstableMs: 2_000,
  emptySettleMs: 1_000,
};
