// One pod, one agent that holds it, and a mesh that changes, without a control plane around them.

import type { WorkloadAuthorization } from '../../../src/control-plane/workload-authorization.ts';
import type { PodBinding } from '../../../src/identity/agent-registry.ts';
import { type MeshState, namespacedName, type Workload } from '../../../src/model/mesh.ts';
import { emptyLayer } from '../../../src/xds/layer.ts';
import type { SnapshotSource } from '../../../src/xds/resources.ts';

export const agentId = 'a'.repeat(32);
export const name = 'shop/client';

export const pod = (change: Partial<Workload> = {}): Workload => ({
  namespace: 'shop',
  name: 'client',
  uid: 'u-1',
  labels: {},
  serviceAccount: 'client',
  addresses: ['10.0.0.1'],
  ports: [],
  meshed: true,
  ...change,
});

export class FakeMesh implements WorkloadAuthorization, SnapshotSource {
  /** Whether the agent is still admitted. */
  admitted = true;
  #bound: PodBinding | undefined;
  #workloads: readonly Workload[] = [pod()];
  readonly #listeners = new Set<() => void>();

  change(...workloads: readonly Workload[]): void {
    this.#workloads = workloads;
    for (const listener of [...this.#listeners]) listener();
  }

  state = (): MeshState => ({
    trustDomain: 'cluster.local',
    rootNamespace: 'trellis-system',
    workloads: new Map(this.#workloads.map((workload) => [namespacedName(workload), workload])),
    services: new Map(),
    policies: new Map(),
    quantumServices: new Map(),
  });

  workloadOf = async (agent: string) => (this.admitted && agent === agentId ? name : undefined);

  bindToPod = async (_agent: string, shown: PodBinding) => {
    this.#bound ??= { uid: shown.uid, serviceAccount: shown.serviceAccount };
    return this.#bound;
  };

  current() {
    return { shared: emptyLayer, own: emptyLayer };
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
