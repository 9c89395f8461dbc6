// How fast registries are asked when nobody waits for the answer.

import type { Clock } from '../../sources/kubernetes/clock.ts';

export interface PaceOptions {
  readonly imagesPerSecond: number;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
}

/** Shared by all who ask at the same time. */
export class Pace {
  readonly #options: PaceOptions;
  #nextMs = Number.NEGATIVE_INFINITY;

  constructor(options: PaceOptions) {
    this.#options = options;
  }

  /** Waits until what was asked so far has had its time; or until `signal` is aborted. */
  async ready(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    for (;;) {
      const waitMs = this.#nextMs - clock.monotonic();
      if (waitMs <= 0 || signal.aborted) return;
      await clock.sleep(waitMs, signal);
    }
  }

  /** Registries were asked about so many images. Left to chance by half, so that nobody is asked in step with anything. */
  spent(images: number): void {
    const { imagesPerSecond, clock, random } = this.#options;
    const costMs = (images * 1_000 * (0.5 + random())) / imagesPerSecond;
    this.#nextMs = Math.max(this.#nextMs, clock.monotonic()) + costMs;
  }
}
