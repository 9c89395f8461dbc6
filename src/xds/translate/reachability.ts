// How a Service can be reached: through the mesh, in plaintext, or not at all.

import type {
  Endpoint,
  MeshState,
  NamespacedName,
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

/** Endpoints in quarantine are none, in the mesh or outside it. */
export function reachablePort(
  state: MeshState,
  port: ServicePort,
  isMeshed: (workload: Workload) => boolean,
  quarantine: ReadonlyMap<string, NamespacedName>,
): ReachablePort {
  const known = port.endpoints.flatMap((endpoint) => {
    const workload = endpoint.workload === undefined ? undefined : state.workloads.get(endpoint.workload);
    if (workload === undefined) return [{ endpoint, meshed: undefined }];
    const spiffeId = workloadSpiffeId(state.trustDomain, workload.namespace, workload.serviceAccount);
    if (quarantine.has(spiffeId)) return [];
    return [{ endpoint, meshed: isMeshed(workload) ? { ...endpoint, spiffeId } : undefined }];
  });
  const meshed = known.flatMap((each) => (each.meshed === undefined ? [] : [each.meshed]));
  if (meshed.length > 0) return { port, reachability: { kind: 'mesh', endpoints: meshed } };
  const outside = known.map(({ endpoint }) => endpoint);
  if (outside.length > 0) return { port, reachability: { kind: 'plaintext', endpoints: outside } };
  return { port, reachability: { kind: 'unreachable' } };
}
