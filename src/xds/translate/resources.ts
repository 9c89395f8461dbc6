// A translated resource, before it is encoded.

import type { Cluster } from '../../gen/proto/envoy/config/cluster/v3/cluster_pb.ts';
import type { ClusterLoadAssignment } from '../../gen/proto/envoy/config/endpoint/v3/endpoint_pb.ts';
import type { Listener } from '../../gen/proto/envoy/config/listener/v3/listener_pb.ts';
import type { RouteConfiguration } from '../../gen/proto/envoy/config/route/v3/route_pb.ts';
import type { Secret } from '../../gen/proto/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import type { WorkloadAuthorization } from '../../gen/proto/trellis/authz/v1/authorization_pb.ts';
import { authorizationName } from '../agreed-names.ts';

export type EnvoyResource =
  | Listener
  | RouteConfiguration
  | Cluster
  | ClusterLoadAssignment
  | Secret
  | WorkloadAuthorization;

/** The name by which a resource is subscribed to. */
export function resourceName(resource: EnvoyResource): string {
  switch (resource.$typeName) {
    case 'envoy.config.endpoint.v3.ClusterLoadAssignment':
      return resource.clusterName;
    case 'trellis.authz.v1.WorkloadAuthorization':
      // Each stream is one workload's: it sees no other.
      return authorizationName;
    default:
      return resource.name;
  }
}
