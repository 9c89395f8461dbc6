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
import { inboundPort } from '../../model/proxy-ports.ts';
import { socketAddress } from './address.ts';
import { seconds } from './duration.ts';
import { outboundCluster, plaintextCluster } from './names.ts';
import { applicationProtocol, meshProtocol } from './protocol.ts';
import type { MeshEndpoint, ReachablePort } from './reachability.ts';
import type { MeshSettings } from './settings.ts';
import { upstreamTls } from './tls.ts';
import type { TrafficSettings } from './traffic.ts';

const connectTimeoutSeconds = 5;
/** No application listens on it, so no filter chain has its server name. */
const noPort = 0;
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
  settings: MeshSettings,
): OutboundCluster | undefined {
  switch (reachability.kind) {
    case 'unreachable':
      return undefined;
    case 'mesh':
      return meshCluster(outboundCluster(service, port), reachability.endpoints, traffic, settings);
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
  settings: MeshSettings,
): OutboundCluster {
  // Only the identities behind the endpoints may answer for the service.
  const serverIds = [...new Set(endpoints.map((endpoint) => endpoint.spiffeId))].sort();
  // A named target port may resolve to different numbers in different pods.
  const applicationPorts = [...new Set(endpoints.map((endpoint) => endpoint.port))].sort((a, b) => a - b);
  return {
    cluster: create(ClusterSchema, {
      ...edsCluster(name, traffic),
      typedExtensionProtocolOptions: meshProtocol(settings),
      ...transportSockets(applicationPorts, serverIds),
    }),
    loadAssignment: create(ClusterLoadAssignmentSchema, {
      clusterName: name,
      endpoints: [
        {
          lbEndpoints: endpoints.map((endpoint) => ({
            ...lbEndpoint(endpoint.address, inboundPort),
            ...(applicationPorts.length === 1
              ? {}
              : { metadata: { filterMetadata: { [transportSocketMatch]: { port: endpoint.port } } } }),
          })),
        },
      ],
    }),
  };
}

/**
 * Which TLS an endpoint is spoken to with. With several ports each endpoint says which one it is for; one that fits none of
 * them (endpoints may arrive before the cluster that knows their port) gets a server name that no proxy answers to. Without
 * that default Envoy would speak to it in plaintext.
 */
function transportSockets(applicationPorts: readonly number[], serverIds: readonly string[]) {
  const [port, another] = applicationPorts;
  if (port !== undefined && another === undefined) return { transportSocket: upstreamTls(port, serverIds) };
  return {
    transportSocket: upstreamTls(noPort, serverIds),
    transportSocketMatches: applicationPorts.map((each) => ({
      name: `port-${each}`,
      match: { port: each },
      transportSocket: upstreamTls(each, serverIds),
    })),
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
