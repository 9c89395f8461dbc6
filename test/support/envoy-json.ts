// Envoy resources as JSON, the form in which golden files and Envoy's own configuration hold them.

import { createRegistry, type DescFile, type JsonObject, type Registry, toJson } from '@bufbuild/protobuf';
import {
  ClusterSchema,
  file_envoy_config_cluster_v3_cluster,
} from '../../src/gen/proto/envoy/config/cluster/v3/cluster_pb.ts';
import {
  ClusterLoadAssignmentSchema,
  file_envoy_config_endpoint_v3_endpoint,
} from '../../src/gen/proto/envoy/config/endpoint/v3/endpoint_pb.ts';
import {
  file_envoy_config_listener_v3_listener,
  ListenerSchema,
} from '../../src/gen/proto/envoy/config/listener/v3/listener_pb.ts';
import { file_envoy_config_rbac_v3_rbac } from '../../src/gen/proto/envoy/config/rbac/v3/rbac_pb.ts';
import {
  file_envoy_config_route_v3_route,
  RouteConfigurationSchema,
} from '../../src/gen/proto/envoy/config/route/v3/route_pb.ts';
import { file_envoy_extensions_access_loggers_stream_v3_stream } from '../../src/gen/proto/envoy/extensions/access_loggers/stream/v3/stream_pb.ts';
import { file_envoy_extensions_filters_http_ext_authz_v3_ext_authz } from '../../src/gen/proto/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.ts';
import { file_envoy_extensions_filters_http_rbac_v3_rbac } from '../../src/gen/proto/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts';
import { file_envoy_extensions_filters_http_router_v3_router } from '../../src/gen/proto/envoy/extensions/filters/http/router/v3/router_pb.ts';
import { file_envoy_extensions_filters_listener_tls_inspector_v3_tls_inspector } from '../../src/gen/proto/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts';
import { file_envoy_extensions_filters_network_ext_authz_v3_ext_authz } from '../../src/gen/proto/envoy/extensions/filters/network/ext_authz/v3/ext_authz_pb.ts';
import { file_envoy_extensions_filters_network_http_connection_manager_v3_http_connection_manager } from '../../src/gen/proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import { file_envoy_extensions_http_early_header_mutation_header_mutation_v3_header_mutation } from '../../src/gen/proto/envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation_pb.ts';
import { file_envoy_extensions_matching_common_inputs_ssl_v3_ssl_inputs } from '../../src/gen/proto/envoy/extensions/matching/common_inputs/ssl/v3/ssl_inputs_pb.ts';
import { SecretSchema } from '../../src/gen/proto/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import { file_envoy_extensions_transport_sockets_tls_v3_tls } from '../../src/gen/proto/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts';
import { file_envoy_extensions_upstreams_http_v3_http_protocol_options } from '../../src/gen/proto/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts';
import { file_envoy_type_matcher_v3_http_inputs } from '../../src/gen/proto/envoy/type/matcher/v3/http_inputs_pb.ts';
import { WorkloadAuthorizationSchema } from '../../src/gen/proto/trellis/authz/v1/authorization_pb.ts';
import type { EnvoyResource } from '../../src/xds/translate/resources.ts';

const roots: readonly DescFile[] = [
  file_envoy_config_cluster_v3_cluster,
  file_envoy_config_endpoint_v3_endpoint,
  file_envoy_config_listener_v3_listener,
  file_envoy_config_rbac_v3_rbac,
  file_envoy_config_route_v3_route,
  file_envoy_extensions_access_loggers_stream_v3_stream,
  file_envoy_extensions_filters_http_ext_authz_v3_ext_authz,
  file_envoy_extensions_filters_http_rbac_v3_rbac,
  file_envoy_extensions_filters_network_ext_authz_v3_ext_authz,
  file_envoy_extensions_http_early_header_mutation_header_mutation_v3_header_mutation,
  file_envoy_extensions_filters_http_router_v3_router,
  file_envoy_extensions_filters_listener_tls_inspector_v3_tls_inspector,
  file_envoy_extensions_filters_network_http_connection_manager_v3_http_connection_manager,
  file_envoy_extensions_matching_common_inputs_ssl_v3_ssl_inputs,
  file_envoy_extensions_transport_sockets_tls_v3_tls,
  file_envoy_extensions_upstreams_http_v3_http_protocol_options,
  file_envoy_type_matcher_v3_http_inputs,
];

/** Every message that can stand inside an Any of ours. */
const envoyRegistry: Registry = createRegistry(...roots);

const schemas = {
  'envoy.config.listener.v3.Listener': ListenerSchema,
  'envoy.config.route.v3.RouteConfiguration': RouteConfigurationSchema,
  'envoy.config.cluster.v3.Cluster': ClusterSchema,
  'envoy.config.endpoint.v3.ClusterLoadAssignment': ClusterLoadAssignmentSchema,
  'envoy.extensions.transport_sockets.tls.v3.Secret': SecretSchema,
  'trellis.authz.v1.WorkloadAuthorization': WorkloadAuthorizationSchema,
} as const;

export function resourceToJson(resource: EnvoyResource): JsonObject {
  const json = toJson(schemas[resource.$typeName], resource as never, {
    registry: envoyRegistry,
    useProtoFieldName: true,
  });
  return json as JsonObject;
}
