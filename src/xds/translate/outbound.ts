// What a workload may call: one listener for the application's outgoing requests, routed by their Host.
//
// The listener never changes. A TCP port is called as HTTP CONNECT, and travels to the peer as a CONNECT stream inside
// the same mutual-TLS connections as HTTP requests do.

import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type Listener, ListenerSchema } from '../../gen/proto/envoy/config/listener/v3/listener_pb.ts';
import type {
  RouteSchema,
  VirtualHostSchema,
} from '../../gen/proto/envoy/config/route/v3/route_components_pb.ts';
import {
  type RouteConfiguration,
  RouteConfigurationSchema,
} from '../../gen/proto/envoy/config/route/v3/route_pb.ts';
import {
  HttpConnectionManager_CodecType,
  HttpConnectionManager_ForwardClientCertDetails,
} from '../../gen/proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import type { Service, Workload } from '../../model/mesh.ts';
import { outboundPort } from '../../model/proxy-ports.ts';
import { denialReason } from '../../policy/denial-reason.ts';
import type { EffectivePolicy } from '../../policy/effective.ts';
import { outboundAccessLog } from './access-log.ts';
import { socketAddress } from './address.ts';
import { httpConnectionManager, rds } from './http.ts';
import {
  outboundCluster,
  outboundListener,
  outboundRouteConfig,
  plaintextCluster,
  serviceHost,
  serviceHostnames,
} from './names.ts';
import { once } from './once.ts';
import { conflictAction } from './rbac.ts';
import type { ReachablePort, ReachableService } from './reachability.ts';
import { type TrafficSettings, trafficSettings } from './traffic.ts';

type RouteInit = Extract<MessageInitShape<typeof RouteSchema>, { $typeName?: never }>;
type RouteAction = NonNullable<RouteInit['action']>;
type VirtualHostInit = Extract<MessageInitShape<typeof VirtualHostSchema>, { $typeName?: never }>;

const httpPort = 80;
const forbidden = 403;
const badGateway = 502;
const unavailable = 503;

export function translateOutboundListener({ addresses, namespace }: Workload): Listener | undefined {
  const [host] = addresses;
  return host === undefined ? undefined : listener({ host: applicationSide(host), namespace });
}

const listener = once(
  ({ host, namespace }: { readonly host: string; readonly namespace: string }): Listener =>
    create(ListenerSchema, {
      name: outboundListener,
      statPrefix: outboundListener,
      address: socketAddress(host, outboundPort),
      filterChains: [
        {
          filters: [
            httpConnectionManager({
              statPrefix: outboundListener,
              codecType: HttpConnectionManager_CodecType.AUTO,
              routeSpecifier: rds(outboundRouteConfig(namespace)),
              accessLog: [outboundAccessLog],
              forwardClientCertDetails: HttpConnectionManager_ForwardClientCertDetails.SANITIZE,
              upgradeConfigs: [{ upgradeType: 'CONNECT' }],
            }),
          ],
        },
      ],
    }),
);

/**
 * Where the application reaches its proxy: on the loopback interface, because whoever reaches this listener speaks with the
 * workload's identity. Workloads that share a host by having a loopback address each, as in the demo, have it there; whoever
 * can open connections on that host can then speak for them.
 */
function applicationSide(host: string): string {
  return host.startsWith('127.') ? host : '127.0.0.1';
}

/** The routes of every workload of `namespace` whose policy says the same about calls that leave the mesh. */
export function translateOutboundRoutes(
  namespace: string,
  services: readonly ReachableService[],
  policy: EffectivePolicy,
): RouteConfiguration {
  return create(RouteConfigurationSchema, {
    name: outboundRouteConfig(namespace),
    virtualHosts: [
      ...services.flatMap((service) => virtualHosts(namespace, service, policy)),
      {
        name: 'unknown',
        domains: ['*'],
        routes: everything(refusal(badGateway, 'no Service of the mesh has this host and port')),
      },
    ],
    ignorePortInHostMatching: false,
  });
}

function virtualHosts(
  namespace: string,
  { service, ports, quantumService }: ReachableService,
  policy: EffectivePolicy,
): VirtualHostInit[] {
  const hosts = serviceHostnames(service, namespace);
  const traffic = trafficSettings(quantumService);
  return ports.map((reachable) => ({
    name: `${serviceHost(service)}:${reachable.port.port}`,
    domains: [
      ...hosts.map((host) => `${host}:${reachable.port.port}`),
      ...(reachable.port.port === httpPort ? hosts : []),
    ],
    routes: routes(service, reachable, traffic, policy),
  }));
}

function routes(
  service: Service,
  { port, reachability }: ReachablePort,
  traffic: TrafficSettings,
  policy: EffectivePolicy,
): RouteInit[] {
  const [conflict] = policy.conflicts;
  if (conflict !== undefined)
    return everything(refusal(forbidden, `${conflictAction(conflict)}: ${conflict.reason}`));
  switch (reachability.kind) {
    case 'unreachable':
      return everything(refusal(unavailable, `${serviceHost(service)} has no ready endpoint`));
    case 'mesh':
      return forward(outboundCluster(service, port), port.protocol === 'tcp', traffic);
    case 'plaintext':
      if (mayLeaveMesh(policy, serviceHost(service))) {
        return forward(plaintextCluster(service, port), port.protocol === 'tcp', traffic, true);
      }
      return everything(
        refusal(
          forbidden,
          `${denialReason(policy.encryptionPolicies, 'postQuantumEncryption')}: ${serviceHost(service)} is not part of the mesh`,
        ),
      );
  }
}

function mayLeaveMesh(policy: EffectivePolicy, host: string): boolean {
  return policy.postQuantumEncryption !== 'required' || policy.exemptHosts.includes(host);
}

/** @param terminate ends the application's CONNECT here, for a peer that expects plain TCP. */
function forward(cluster: string, tcp: boolean, traffic: TrafficSettings, terminate = false): RouteInit[] {
  const action = { clusterSpecifier: { case: 'cluster' as const, value: cluster }, ...traffic.route };
  if (!tcp) {
    return [
      { match: { pathSpecifier: { case: 'prefix', value: '/' } }, action: { case: 'route', value: action } },
    ];
  }
  const upgrade = { upgradeType: 'CONNECT', ...(terminate ? { connectConfig: {} } : {}) };
  return [
    {
      match: { pathSpecifier: { case: 'connectMatcher', value: {} } },
      action: { case: 'route', value: { ...action, upgradeConfigs: [upgrade] } },
    },
  ];
}

/** Plain requests and CONNECT alike: Envoy matches the two with different matchers. */
function everything(response: RouteAction): RouteInit[] {
  return [
    { match: { pathSpecifier: { case: 'connectMatcher', value: {} } }, action: response },
    { match: { pathSpecifier: { case: 'prefix', value: '/' } }, action: response },
  ];
}

function refusal(status: number, reason: string): RouteAction {
  return {
    case: 'directResponse',
    value: {
      status,
      body: {
        specifier: {
          case: 'inlineString',
          value: `${JSON.stringify({ error: 'refused by the mesh', reason })}\n`,
        },
      },
    },
  };
}
