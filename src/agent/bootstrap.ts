// Envoy's bootstrap: where the agent's socket is and where the admin interface listens. It holds nothing secret and
// nothing that changes; listeners, clusters and certificates all come over the socket.

import { agentClusterName, authzClusterName } from '../xds/agreed-names.ts';

/** After a lost stream Envoy tries again within these bounds (its own default is up to 30 s). */
const retryBackOff = { base_interval: '0.2s', max_interval: '1s' };

/** Of one proxy, from its application and from the mesh together; more are refused at once instead of exhausting memory. */
const maxDownstreamConnections = 50_000;

export type AdminAddress =
  | { readonly kind: 'pipe'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

export interface BootstrapOptions {
  /** The socket that `trellis agent` serves. */
  readonly socket: string;
  /** Shown in Envoy's logs and statistics; the control plane does not read it. */
  readonly nodeId: string;
  readonly admin: AdminAddress;
}

/** A complete Envoy configuration (`envoy.config.bootstrap.v3.Bootstrap` as JSON). */
export function envoyBootstrap(options: BootstrapOptions): object {
  return {
    node: { id: options.nodeId, cluster: 'trellis' },
    admin: { address: adminAddress(options.admin) },
    dynamic_resources: {
      ads_config: {
        api_type: 'DELTA_GRPC',
        transport_api_version: 'V3',
        grpc_services: [
          { envoy_grpc: { cluster_name: agentClusterName, retry_policy: { retry_back_off: retryBackOff } } },
        ],
        set_node_on_first_message_only: true,
      },
      lds_config: { ads: {}, resource_api_version: 'V3' },
      cds_config: { ads: {}, resource_api_version: 'V3' },
    },
    static_resources: {
      clusters: [agentClusterName, authzClusterName].map((name) => agentSocketCluster(name, options.socket)),
    },
    overload_manager: {
      resource_monitors: [
        {
          name: 'envoy.resource_monitors.global_downstream_max_connections',
          typed_config: {
            '@type':
              'type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig',
            max_active_downstream_connections: maxDownstreamConnections,
          },
        },
      ],
    },
  };
}

function agentSocketCluster(name: string, path: string): object {
  return {
    name,
    type: 'STATIC',
    connect_timeout: '1s',
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path } } } }] }],
    },
  };
}

/** A pipe only its owner may open: the admin interface can end the proxy and dump its configuration. */
const adminPipeMode = 0o600;

function adminAddress(admin: AdminAddress): object {
  return admin.kind === 'pipe'
    ? { pipe: { path: admin.path, mode: adminPipeMode } }
    : { socket_address: { address: admin.host, port_value: admin.port } };
}
