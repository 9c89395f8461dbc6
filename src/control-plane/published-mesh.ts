// What of the desired state is in force at the proxies. A state that cannot be translated, which is a defect of ours, must
// neither end the control plane nor be half of what proxies see.

import type { MeshState, NamespacedName } from '../model/mesh.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Readiness } from '../telemetry/readiness.ts';
import type { SnapshotSource } from '../xds/resources.ts';

/** The part of MeshSnapshots that this needs. */
export interface Snapshots {
  update(state: MeshState): void;
  source(workload: NamespacedName): SnapshotSource;
}

export interface PublishedMeshOptions {
  readonly snapshots: Snapshots;
  /** What proxies see before there is a first good state. */
  readonly empty: MeshState;
  readonly readiness: Readiness<'state' | 'ca'>;
  readonly log: Logger;
}

export class PublishedMesh {
  readonly #options: PublishedMeshOptions;
  #state: MeshState | undefined;

  constructor(options: PublishedMeshOptions) {
    this.#options = options;
  }

  /** The state that identities and configuration are given out by; undefined before the first. */
  current(): MeshState | undefined {
    return this.#state;
  }

  source(workload: NamespacedName): SnapshotSource {
    return this.#options.snapshots.source(workload);
  }

  /** Puts a state in force, or keeps the last one and says why. Never throws. */
  publish(state: MeshState): void {
    const { snapshots, log, readiness } = this.#options;
    const before = this.#state;
    // First, because streams ask who they may still be for while they are told of the change.
    this.#state = state;
    try {
      snapshots.update(state);
    } catch (error) {
      this.#state = before;
      const reason = error instanceof Error ? error.message : String(error);
      log.error({ err: error }, 'the manifests cannot be put in force; what was in force stays');
      readiness.notReady('state', `the manifests cannot be put in force: ${reason}`);
      this.#restore();
    }
  }

  /** An update that failed may have reached some proxies. */
  #restore(): void {
    const { snapshots, empty, log } = this.#options;
    try {
      snapshots.update(this.#state ?? empty);
    } catch (error) {
      log.error({ err: error }, 'the last state cannot be put in force again either');
    }
  }
}
