// How a Service can be reached: through the mesh, in plaintext, or not at all.

import type {
  Endpoint,
  MeshState,
  QuantumService,
  Service,
  ServicePort,
  Workload,
} from '../../model/mesh.ts';
import { workloadSpiffeId } from '../../model/spiffe.ts';

export interface MeshEndpoint extends Endpoint {
  /** What its proxy must prove to be. */
  readonly spiffeId: string;
}

/**
 * A port with at least one meshed endpoint is reached through the mesh only: mixing in endpoints without a proxy would
 * send some requests in plaintext, by chance.
 */
export type Reachability =
  | { readonly kind: 'mesh'; readonly endpoints: readonly MeshEndpoint[] }
  | { readonly kind: 'plaintext'; readonly endpoints: readonly Endpoint[] }
  | { readonly kind: 'unreachable' };

export interface ReachablePort {
  readonly port: ServicePort;
  readonly reachability: Reachability;
}

/** A Service as a client sees it. */
export interface ReachableService {
  readonly service: Service;
  readonly ports: readonly ReachablePort[];
  /** Whose traffic settings apply. */
  readonly quantumService: QuantumService | undefined;
}

export function reachablePort(
  state: MeshState,
  port: ServicePort,
  isMeshed: (workload: Workload) => boolean,
): ReachablePort {
  const meshed = port.endpoints.flatMap((endpoint) => {
    const workload = endpoint.workload === undefined ? undefined : state.workloads.get(endpoint.workload);
    if (workload === undefined || !isMeshed(workload)) return [];
    const spiffeId = workloadSpiffeId(state.trustDomain, workload.namespace, workload.serviceAccount);
    return [{ ...endpoint, spiffeId }];
  });
  if (meshed.length > 0) return { port, reachability: { kind: 'mesh', endpoints: meshed } };
  if (port.endpoints.length > 0)
    return { port, reachability: { kind: 'plaintext', endpoints: port.endpoints } };
  return { port, reachability: { kind: 'unreachable' } };
}
