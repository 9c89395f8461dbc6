// Constant traffic whose every answer is counted: the yardstick for "no request failed while …".

import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DemoService } from './services.ts';
import { type Call, callService, describeCall } from './workload-client.ts';

/** Between the end of a request and the next one of the same pair. */
const pauseMs = 15;
const ok = 200;
/** Enough to see a pattern; more would flood the report. */
const maxKeptFailures = 20;

/** What happened since a moment. */
export interface TrafficRecord {
  readonly sent: number;
  readonly failed: number;
  /** What the last ones were. */
  readonly failures: readonly string[];
}

/** A moment, as counts. */
type Mark = Pick<TrafficRecord, 'sent' | 'failed'>;

export class Traffic {
  readonly #stop = new AbortController();
  readonly #loops: Promise<void>[] = [];
  #sent = 0;
  #failed = 0;
  readonly #failures: string[] = [];

  /** Calls again and again; every answer but 200 is a failure. */
  start(call: Call, from: DemoService, to: DemoService): void {
    this.#loops.push(this.#run(call, from, to));
  }

  /** A mark to give to `since`. */
  mark(): Mark {
    return { sent: this.#sent, failed: this.#failed };
  }

  since(mark: Mark): TrafficRecord {
    const failed = this.#failed - mark.failed;
    return {
      sent: this.#sent - mark.sent,
      failed,
      failures: failed === 0 ? [] : this.#failures.slice(-failed),
    };
  }

  /** Waits until the requests under way are answered. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#loops);
  }

  async #run(call: Call, from: DemoService, to: DemoService): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const { signal } = this.#stop;
    const { method, path } = call;
    while (!signal.aborted) {
      const problem = await callService(from, to, { method, path, agent }).then(
        ({ status, headers }) =>
          status === ok ? undefined : `HTTP ${status} ${headers['x-trellis-denied'] ?? ''}`,
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      );
      this.#count(problem === undefined ? undefined : `${describeCall(call)}: ${problem.trim()}`);
      await sleep(pauseMs, undefined, { signal }).catch(() => {});
    }
    agent.destroy();
  }

  #count(problem: string | undefined): void {
    this.#sent += 1;
    if (problem === undefined) return;
    this.#failed += 1;
    this.#failures.push(problem);
    if (this.#failures.length > maxKeptFailures) this.#failures.shift();
  }
}
