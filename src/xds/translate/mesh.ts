// From the mesh to Envoy resources. Pure: the state in, messages out.

import { type MeshState, namespacedName, type Service, type Workload } from '../../model/mesh.ts';
import { type EffectivePolicy, quarantineOf } from '../../policy/effective.ts';
import { translateAuthorization } from './authorization.ts';
import { translateCluster } from './clusters.ts';
import { translateInbound } from './inbound.ts';
import { translateOutboundListener, translateOutboundRoutes } from './outbound.ts';
import { type ReachableService, reachablePort } from './reachability.ts';
import type { EnvoyResource } from './resources.ts';
import type { MeshSettings } from './settings.ts';
import { quantumServiceFor, trafficSettings } from './traffic.ts';

/** Workloads that take part in the mesh: they have a proxy, and their policies do not switch it off. */
export function takesPart(workload: Workload, policy: EffectivePolicy): boolean {
  return workload.meshed && policy.postQuantumEncryption !== 'disabled';
}

/** A service as every client sees it, given which workloads take part in the mesh. */
export function reachableService(
  state: MeshState,
  service: Service,
  isMeshed: (workload: Workload) => boolean,
): ReachableService {
  const quarantine = quarantineOf(state);
  return {
    service,
    ports: service.ports.map((port) => reachablePort(state, port, isMeshed, quarantine)),
    quantumService: quantumServiceFor(state, service),
  };
}

/** Clusters and endpoint sets of one service: the same for every proxy. */
export function translateService(
  { service, ports, quantumService }: ReachableService,
  settings: MeshSettings,
): readonly EnvoyResource[] {
  const traffic = trafficSettings(quantumService);
  return ports.flatMap((port) => {
    const translated = translateCluster(service, port, traffic, settings);
    return translated === undefined ? [] : [translated.cluster, translated.loadAssignment];
  });
}

/** Listeners, inbound routes and application clusters of one workload. */
export function translateWorkload(
  workload: Workload,
  policy: EffectivePolicy,
  settings: MeshSettings,
): readonly EnvoyResource[] {
  const inbound = translateInbound(workload, policy, settings);
  const outbound = translateOutboundListener(workload);
  return [
    ...(inbound === undefined ? [] : [inbound.listener, ...inbound.routeConfigs, ...inbound.clusters]),
    ...(outbound === undefined ? [] : [outbound]),
    translateAuthorization(workload, policy, settings),
  ];
}

/**
 * What the outbound routes of a workload depend on beside the services. Workloads with the same key share one route
 * configuration.
 */
export function egressKey(workload: Workload, policy: EffectivePolicy): string {
  const { postQuantumEncryption, encryptionPolicies, exemptHosts, conflicts } = policy;
  return JSON.stringify([
    workload.namespace,
    postQuantumEncryption,
    encryptionPolicies,
    exemptHosts,
    conflicts,
  ]);
}

/** What outbound routes depend on in a service: everything but where its endpoints are. */
export function routingKey({ service, ports }: ReachableService): string {
  return JSON.stringify([
    namespacedName(service),
    service.clusterIps,
    ports.map(({ port, reachability }) => [port.port, port.protocol, reachability.kind]),
  ]);
}

/** The outbound routes of a workload. */
export function translateEgress(
  workload: Workload,
  services: readonly ReachableService[],
  policy: EffectivePolicy,
): EnvoyResource {
  return translateOutboundRoutes(workload.namespace, services, policy);
}
