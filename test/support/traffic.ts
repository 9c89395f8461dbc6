// Requests without a pause, to show that something else does not disturb them.

import { setTimeout as sleep } from 'node:timers/promises';
import { onEnd } from './cleanup.ts';
import { until } from './until.ts';

const pauseMs = 5;

export class Traffic {
  /** What went wrong, in order. */
  readonly failures: string[] = [];
  count = 0;
  #stopped = false;
  readonly #ended: Promise<void>;

  /** @param call one request; throws, or resolves to a reason, when it failed */
  constructor(call: () => Promise<string | undefined>) {
    this.#ended = this.#run(call);
    onEnd(() => this.stop());
  }

  async #run(call: () => Promise<string | undefined>): Promise<void> {
    while (!this.#stopped) {
      const failure = await call().catch((error: unknown) => String(error));
      if (failure !== undefined) this.failures.push(`request ${this.count}: ${failure}`);
      this.count++;
      await sleep(pauseMs);
    }
  }

  /** Resolves after some more requests have been answered. */
  async flows(requests = 20): Promise<void> {
    const goal = this.count + requests;
    await until(`${requests} more requests`, () => this.count >= goal);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#ended;
  }
}
