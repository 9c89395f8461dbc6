// Whether something is being written at the moment. A half-written manifest may be valid YAML with fewer rules in it, so
// a file counts only when it has been left alone for a while. Writing beside it and renaming is the safe way for writers
// that take longer.

export interface Clocks {
  /** Milliseconds since the epoch, as file times are; may jump. */
  readonly now: () => number;
  /** Milliseconds that only go forward. */
  readonly monotonic: () => number;
}

interface Observed {
  readonly signature: string;
  /** Milliseconds since the epoch. */
  readonly changedAt: number;
}

export interface Unsettled {
  readonly path: string;
  readonly waitMs: number;
}

export class SettleTracker {
  readonly #clocks: Clocks;
  readonly #settleMs: number;
  #seen = new Map<string, { readonly signature: string; readonly since: number }>();

  constructor(clocks: Clocks, settleMs: number) {
    this.#clocks = clocks;
    this.#settleMs = settleMs;
  }

  /**
   * The entry that needs the longest until it has been left alone long enough, and how many milliseconds that is;
   * undefined when all have settled. Judged by their change time, or, where that lies in the future (a clock set back,
   * another machine's clock), by our own observation.
   */
  unsettled(entries: Iterable<readonly [string, Observed]>): Unsettled | undefined {
    const now = this.#clocks.now();
    const monotonic = this.#clocks.monotonic();
    const seen = new Map<string, { readonly signature: string; readonly since: number }>();
    let longest: Unsettled | undefined;
    for (const [path, { signature, changedAt }] of entries) {
      const before = this.#seen.get(path);
      const current = before?.signature === signature ? before : { signature, since: monotonic };
      seen.set(path, current);
      const observed = monotonic - current.since;
      const waitMs = this.#settleMs - Math.max(now - changedAt, observed);
      if (waitMs > (longest?.waitMs ?? 0)) longest = { path, waitMs };
    }
    this.#seen = seen;
    return longest;
  }
}
