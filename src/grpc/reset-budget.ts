// How many streams a peer may have reset. Opening streams and resetting them at once costs the peer nothing and us a
// handler each (CVE-2023-44487).

/** Counts events in fixed windows: a few numbers a session, whatever the peer does. */
export class ResetBudget {
  readonly #max: number;
  readonly #windowMs: number;
  #windowStart = 0;
  #spent = 0;

  constructor(max: number, windowMs: number) {
    this.#max = max;
    this.#windowMs = windowMs;
  }

  /** Counts one reset at `nowMs` (any monotonic clock); false when the budget is overdrawn. */
  spend(nowMs: number): boolean {
    if (nowMs - this.#windowStart >= this.#windowMs) {
      this.#windowStart = nowMs;
      this.#spent = 0;
    }
    this.#spent += 1;
    return this.#spent <= this.#max;
  }
}
