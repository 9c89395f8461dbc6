// Outbound clusters and their endpoints: the same for every proxy, whatever its policies.

import { create } from '@bufbuild/protobuf';
import {
  type Cluster,
  Cluster_DiscoveryType,
  Cluster_LbPolicy,
  ClusterSchema,
} from '../../gen/proto/envoy/config/cluster/v3/cluster_pb.ts';
import { ApiVersion } from '../../gen/proto/envoy/config/core/v3/config_source_pb.ts';
import {
  type ClusterLoadAssignment,
  ClusterLoadAssignmentSchema,
} from '../../gen/proto/envoy/config/endpoint/v3/endpoint_pb.ts';
import type { Service } from '../../model/mesh.ts';
import { socketAddress } from './address.ts';
import { seconds } from './duration.ts';
import { inboundPort, outboundCluster, plaintextCluster } from './names.ts';
import { applicationProtocol, meshProtocol } from './protocol.ts';
import type { MeshEndpoint, ReachablePort } from './reachability.ts';
import { upstreamTls } from './tls.ts';
import type { TrafficSettings } from './traffic.ts';

const connectTimeoutSeconds = 5;
/** Metadata key by which Envoy picks a transport socket for an endpoint. */
const transportSocketMatch = 'envoy.transport_socket_match';

export interface OutboundCluster {
  readonly cluster: Cluster;
  readonly loadAssignment: ClusterLoadAssignment;
}

/** @returns undefined for a port nobody answers on. */
export function translateCluster(
  service: Service,
  { port, reachability }: ReachablePort,
  traffic: TrafficSettings,
  maxConnectionAgeMs: number,
): OutboundCluster | undefined {
  switch (reachability.kind) {
    case 'unreachable':
      return undefined;
    case 'mesh':
      return meshCluster(outboundCluster(service, port), reachability.endpoints, traffic, maxConnectionAgeMs);
    case 'plaintext': {
      const name = plaintextCluster(service, port);
      return {
        cluster: create(ClusterSchema, {
          ...edsCluster(name, traffic),
          typedExtensionProtocolOptions: applicationProtocol(port.protocol),
        }),
        loadAssignment: create(ClusterLoadAssignmentSchema, {
          clusterName: name,
          endpoints: [
            { lbEndpoints: reachability.endpoints.map(({ address, port: own }) => lbEndpoint(address, own)) },
          ],
        }),
      };
    }
  }
}

function meshCluster(
  name: string,
  endpoints: readonly MeshEndpoint[],
  traffic: TrafficSettings,
  maxConnectionAgeMs: number,
): OutboundCluster {
  // Only the identities behind the endpoints may answer for the service.
  const serverIds = [...new Set(endpoints.map((endpoint) => endpoint.spiffeId))].sort();
  // A named target port may resolve to different numbers in different pods.
  const applicationPorts = [...new Set(endpoints.map((endpoint) => endpoint.port))].sort((a, b) => a - b);
  const [onlyPort, ...otherPorts] = applicationPorts;
  return {
    cluster: create(ClusterSchema, {
      ...edsCluster(name, traffic),
      typedExtensionProtocolOptions: meshProtocol(maxConnectionAgeMs),
      ...(onlyPort !== undefined && otherPorts.length === 0
        ? { transportSocket: upstreamTls(onlyPort, serverIds) }
        : {
            transportSocketMatches: applicationPorts.map((port) => ({
              name: `port-${port}`,
              match: { port },
              transportSocket: upstreamTls(port, serverIds),
            })),
          }),
    }),
    loadAssignment: create(ClusterLoadAssignmentSchema, {
      clusterName: name,
      endpoints: [
        {
          lbEndpoints: endpoints.map((endpoint) => ({
            ...lbEndpoint(endpoint.address, inboundPort),
            ...(otherPorts.length === 0
              ? {}
              : { metadata: { filterMetadata: { [transportSocketMatch]: { port: endpoint.port } } } }),
          })),
        },
      ],
    }),
  };
}

function edsCluster(name: string, traffic: TrafficSettings) {
  return {
    name,
    clusterDiscoveryType: { case: 'type' as const, value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: {
      edsConfig: {
        resourceApiVersion: ApiVersion.V3,
        configSourceSpecifier: { case: 'ads' as const, value: {} },
      },
    },
    connectTimeout: seconds(connectTimeoutSeconds),
    lbPolicy: Cluster_LbPolicy.LEAST_REQUEST,
    ...traffic.cluster,
  };
}

function lbEndpoint(host: string, port: number) {
  return {
    hostIdentifier: { case: 'endpoint' as const, value: { address: socketAddress(host, port) } },
  };
}
