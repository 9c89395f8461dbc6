// Whether anything is still heard on a connection that may be silent for long.

import type { Clock } from '../clock.ts';
import { KubernetesError } from '../errors.ts';

/** Aborts its signal when nothing was heard for too long, or with the outer one. */
export class SilenceGuard {
  readonly signal: AbortSignal;
  readonly #controller = new AbortController();
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #outer: AbortSignal;
  readonly #onAbort = (): void => this.#controller.abort(this.#outer.reason);
  #heardAt: number;

  constructor(clock: Clock, limitMs: number, outer: AbortSignal) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#outer = outer;
    this.#heardAt = clock.monotonic();
    this.signal = this.#controller.signal;
    outer.addEventListener('abort', this.#onAbort, { once: true });
    void this.#listen();
  }

  heard(): void {
    this.#heardAt = this.#clock.monotonic();
  }

  end(): void {
    this.#outer.removeEventListener('abort', this.#onAbort);
    this.#controller.abort();
  }

  async #listen(): Promise<void> {
    for (;;) {
      const left = this.#heardAt + this.#limitMs - this.#clock.monotonic();
      if (left <= 0) break;
      await this.#clock.sleep(left, this.signal);
      if (this.signal.aborted) return;
    }
    const message = `watch: not a word for ${this.#limitMs} ms, longer than it was asked to last`;
    this.#controller.abort(new KubernetesError('ERR_KUBE_TIMEOUT', message));
  }
}
