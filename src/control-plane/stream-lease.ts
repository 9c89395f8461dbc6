// The right of one ADS stream to go on. It was checked when the stream began, and what it rests on can end: the agent's
// certificate, its admission, the pod.

import type { NamespacedName } from '../model/mesh.ts';
import type { SnapshotSource } from '../xds/resources.ts';
import type { AgentPeer } from './peer.ts';
import {
  authorizedWorkload,
  isSamePod,
  replacedPod,
  type WorkloadAuthorization,
} from './workload-authorization.ts';

export interface LeaseOptions extends WorkloadAuthorization {
  readonly agentId: string;
  readonly name: NamespacedName;
  /** The agent of the stream's connection. @throws GrpcError UNAUTHENTICATED once its certificate has ended */
  readonly peerOf: () => AgentPeer;
  readonly now: () => Date;
  readonly recheckMs?: number;
}

/** What tells us nothing when it changes, an agent that was forgotten, takes effect within this time. */
const defaultRecheckMs = 30_000;

type Pod = Awaited<ReturnType<typeof authorizedWorkload>>;

export class StreamLease {
  readonly #options: LeaseOptions;
  readonly #pod: Pod;
  readonly #end = Promise.withResolvers<never>();
  #timer: NodeJS.Timeout | undefined;
  #over = false;

  private constructor(options: LeaseOptions, pod: Pod) {
    this.#options = options;
    this.#pod = pod;
    // Nobody may be waiting.
    this.#end.promise.catch(() => {});
    this.#schedule();
    // The mesh may have changed while the disk was asked.
    this.#isOwnChange();
  }

  /** @throws GrpcError whose status says why there is none */
  static async take(options: LeaseOptions): Promise<StreamLease> {
    const pod = await authorizedWorkload(options, options.agentId, options.name);
    return new StreamLease(options, pod);
  }

  /** Rejects when the right ends, with the status to tell. */
  get ended(): Promise<never> {
    return this.#end.promise;
  }

  /** The stream is over. */
  release(): void {
    this.#over = true;
    clearTimeout(this.#timer);
  }

  /** The same source, asked about every change whether the stream may still have it. */
  guard(source: SnapshotSource): SnapshotSource {
    return {
      current: () => source.current(),
      onChange: (listener) =>
        source.onChange(() => {
          if (!this.#over && this.#isOwnChange()) listener();
        }),
    };
  }

  /**
   * Whether the change is not for another pod that took over the name: known at once, without asking the disk. A pod that is
   * gone or has left the mesh is told of that, which takes everything from its proxy, and loses the stream at the next check.
   */
  #isOwnChange(): boolean {
    const { state, agentId, name } = this.#options;
    const pod = state()?.workloads.get(name);
    if (pod === undefined || isSamePod(this.#pod, pod)) return true;
    this.#fail(replacedPod(agentId, name));
    return false;
  }

  #schedule(): void {
    const { recheckMs = defaultRecheckMs, now, peerOf } = this.#options;
    try {
      // A certificate is good up to and including its last moment.
      const untilExpiry = peerOf().notAfter.getTime() + 1 - now().getTime();
      this.#timer = setTimeout(() => this.#recheck(), Math.min(recheckMs, untilExpiry)).unref();
    } catch (error) {
      this.#fail(error);
    }
  }

  #recheck(): void {
    const { agentId, name } = this.#options;
    authorizedWorkload(this.#options, agentId, name).then(
      () => {
        if (!this.#over) this.#schedule();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #fail(error: unknown): void {
    if (this.#over) return;
    this.release();
    this.#end.reject(error);
  }
}
