// A translated resource, before it is encoded.

import type { Cluster } from '../../gen/proto/envoy/config/cluster/v3/cluster_pb.ts';
import type { ClusterLoadAssignment } from '../../gen/proto/envoy/config/endpoint/v3/endpoint_pb.ts';
import type { Listener } from '../../gen/proto/envoy/config/listener/v3/listener_pb.ts';
import type { RouteConfiguration } from '../../gen/proto/envoy/config/route/v3/route_pb.ts';
import type { Secret } from '../../gen/proto/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';

export type EnvoyResource = Listener | RouteConfiguration | Cluster | ClusterLoadAssignment | Secret;

/** The name by which a resource is subscribed to. */
export function resourceName(resource: EnvoyResource): string {
  return resource.$typeName === 'envoy.config.endpoint.v3.ClusterLoadAssignment'
    ? resource.clusterName
    : resource.name;
}
