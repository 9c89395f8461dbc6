// One attempt at something for all who wait for it, each of whom waits as long as it likes.

import { withDeadline } from '../../signing/deadline.ts';
import { verificationDeadline } from '../../signing/verify/deadline.ts';

export class SharedAttempt<T> {
  readonly #outcome: Promise<T>;
  readonly #controller = new AbortController();
  readonly #over: (isDone: boolean) => void;
  #waiting = 0;
  #isOver = false;

  /**
   * Starts it. It is told to stop when nobody waits any more.
   * @param over told once: whether there is a result, or it has failed or was given up
   */
  constructor(run: (signal: AbortSignal) => Promise<T>, over: (isDone: boolean) => void) {
    this.#over = over;
    this.#outcome = run(this.#controller.signal);
    this.#outcome.then(
      () => this.#end(true),
      // All who wait hear of it.
      () => this.#end(false),
    );
  }

  /** @throws what the attempt throws; the reason of `signal` */
  async join(signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    this.#waiting += 1;
    try {
      return await withDeadline(verificationDeadline(undefined), signal, () => this.#outcome);
    } finally {
      this.#waiting -= 1;
      if (this.#waiting === 0 && !this.#isOver) {
        this.#end(false);
        this.#controller.abort(signal.reason);
      }
    }
  }

  #end(isDone: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#over(isDone);
  }
}

/** Runs, or waits for the run under way that has the same key. Nothing is remembered. */
export type Share<T> = (
  key: string,
  signal: AbortSignal,
  run: (signal: AbortSignal) => Promise<T>,
) => Promise<T>;

export function createShare<T>(): Share<T> {
  const underWay = new Map<string, SharedAttempt<T>>();
  return async (key, signal, run) => {
    signal.throwIfAborted();
    const attempt =
      underWay.get(key) ??
      new SharedAttempt(run, () => {
        underWay.delete(key);
      });
    underWay.set(key, attempt);
    return await attempt.join(signal);
  };
}
