// What the caller's own proxy does with a call: read from the very route configuration that the proxy is sent.

import type { RouteConfiguration } from '../gen/proto/envoy/config/route/v3/route_pb.ts';
import type { MeshState, Service, ServicePort, Workload } from '../model/mesh.ts';
import { type EffectivePolicy, effectivePolicy } from '../policy/effective.ts';
import { reachableService, takesPart } from '../xds/translate/mesh.ts';
import { plaintextCluster, serviceHost } from '../xds/translate/names.ts';
import { translateOutboundRoutes } from '../xds/translate/outbound.ts';
import type { ReachablePort } from '../xds/translate/reachability.ts';
import type { Route } from './explanation.ts';

export interface RoutedCall {
  readonly route: Exclude<Route, { kind: 'without-proxy' }>;
  readonly reachable: ReachablePort;
}

/** The way from a workload with a proxy to a port of a Service. */
export function routeOf(
  state: MeshState,
  caller: Workload,
  policy: EffectivePolicy,
  service: Service,
  port: ServicePort,
): RoutedCall {
  const isMeshed = (workload: Workload) => takesPart(workload, effectivePolicy(state, workload));
  const reachable = reachableService(state, service, isMeshed);
  const own = reachable.ports.find((each) => each.port === port);
  if (own === undefined) throw new Error(`port ${port.port} is not among those of its Service`);
  const routes = translateOutboundRoutes(caller.namespace, [reachable], policy);
  return { route: routeIn(routes, service, port), reachable: own };
}

function routeIn(routes: RouteConfiguration, service: Service, port: ServicePort): RoutedCall['route'] {
  const name = `${serviceHost(service)}:${port.port}`;
  // All routes of a virtual host do the same; there are two where Envoy matches CONNECT by itself.
  const action = routes.virtualHosts.find((host) => host.name === name)?.routes[0]?.action;
  if (action?.case === 'directResponse') {
    const body = action.value.body?.specifier;
    return {
      kind: 'refused',
      status: action.value.status,
      reason: body?.case === 'inlineString' ? reasonIn(body.value) : 'refused',
    };
  }
  if (action?.case !== 'route' || action.value.clusterSpecifier.case !== 'cluster')
    throw new Error(`the routes of Envoy have no host ${name}`);
  const isPlaintext = action.value.clusterSpecifier.value === plaintextCluster(service, port);
  return { kind: isPlaintext ? 'plaintext' : 'mesh' };
}

/** `{"error": …, "reason": …}`, as the caller gets it. */
function reasonIn(body: string): string {
  const { reason } = JSON.parse(body) as { readonly reason: string };
  return reason;
}
