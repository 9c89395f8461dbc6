// Dynamic resources as one static configuration, so that `envoy --mode validate` reads them.

import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { envoyBootstrap } from '../../src/agent/bootstrap.ts';

/** Never opened: validation does not listen. */
const firstPort = 20_000;

/** @param resources JSON with their message name in `@type` */
export function validationBootstrap(resources: readonly JsonObject[]): object {
  const of = (type: string): JsonObject[] =>
    resources.filter((resource) => resource['@type'] === type).map(({ '@type': _, ...rest }) => rest);
  const bootstrap = envoyBootstrap({
    socket: '/run/trellis/agent.sock',
    nodeId: 'golden',
    admin: { kind: 'pipe', path: '/run/trellis/admin.sock' },
  }) as { static_resources: { clusters: JsonValue[] } };
  return {
    ...bootstrap,
    static_resources: {
      clusters: [...bootstrap.static_resources.clusters, ...of('envoy.config.cluster.v3.Cluster')],
      listeners: [
        ...of('envoy.config.listener.v3.Listener'),
        ...of('envoy.config.route.v3.RouteConfiguration').map((routes, index) =>
          hosting(routes, firstPort + index),
        ),
      ],
    },
  };
}

/** A listener for the sake of its routes. */
function hosting(routes: JsonObject, port: number): JsonObject {
  const type = 'type.googleapis.com/envoy.extensions.filters';
  return {
    name: `routes-${port}`,
    address: { socket_address: { address: '127.0.0.1', port_value: port } },
    filter_chains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            typed_config: {
              '@type': `${type}.network.http_connection_manager.v3.HttpConnectionManager`,
              stat_prefix: 'routes',
              route_config: routes,
              http_filters: [
                { name: 'envoy.filters.http.rbac', typed_config: { '@type': `${type}.http.rbac.v3.RBAC` } },
                {
                  name: 'envoy.filters.http.router',
                  typed_config: { '@type': `${type}.http.router.v3.Router` },
                },
              ],
            },
          },
        ],
      },
    ],
  };
}
