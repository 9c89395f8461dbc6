// What a workload accepts: one listener for mutual TLS from other proxies, with a filter chain per application port.
//
// The listener depends on the workload's ports and on little else. Everything that policies change travels in the
// route configurations, so that an edit reaches requests on connections that are already open and closes none.

import { create } from '@bufbuild/protobuf';
import {
  type Cluster,
  Cluster_DiscoveryType,
  ClusterSchema,
} from '../../gen/proto/envoy/config/cluster/v3/cluster_pb.ts';
import {
  type FilterChain,
  FilterChainSchema,
} from '../../gen/proto/envoy/config/listener/v3/listener_components_pb.ts';
import { type Listener, ListenerSchema } from '../../gen/proto/envoy/config/listener/v3/listener_pb.ts';
import {
  type RouteConfiguration,
  RouteConfigurationSchema,
} from '../../gen/proto/envoy/config/route/v3/route_pb.ts';
import {
  RBACPerRouteSchema,
  RBACSchema,
} from '../../gen/proto/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts';
import { TlsInspectorSchema } from '../../gen/proto/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts';
import {
  HttpConnectionManager_CodecType,
  HttpConnectionManager_ForwardClientCertDetails,
} from '../../gen/proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import type { AppProtocol, Workload, WorkloadPort } from '../../model/mesh.ts';
import { inboundPort } from '../../model/proxy-ports.ts';
import { acceptsAnonymous, type EffectivePolicy } from '../../policy/effective.ts';
import { auditPrefix, inboundAccessLog, rbacFilter } from './access-log.ts';
import { socketAddress } from './address.ts';
import { any, configuredExtension } from './any.ts';
import { denialReply } from './denial.ts';
import { seconds } from './duration.ts';
import {
  counterSignatureFilter,
  demandsCounterSignature,
  extAuthzFilters,
  extAuthzPerRoute,
} from './ext-authz.ts';
import { connectionAge, httpConnectionManager, rds } from './http.ts';
import { inboundCluster, inboundListener, inboundRouteConfig, meshServerName } from './names.ts';
import { once } from './once.ts';
import { applicationProtocol } from './protocol.ts';
import { denyAll, enforcedMatcher, shadowMatcher } from './rbac.ts';
import type { MeshSettings } from './settings.ts';
import { downstreamTls } from './tls.ts';

/** A ClientHello with an ML-KEM key share spans several packets; a peer that never finishes it is dropped. */
const clientHelloTimeoutSeconds = 10;
/** A TLS handshake that takes longer is dropped. */
const handshakeTimeoutSeconds = 10;
const applicationConnectTimeoutSeconds = 5;

const tlsInspector = configuredExtension('envoy.filters.listener.tls_inspector', TlsInspectorSchema, {});

/** Every virtual host brings its own rules; one that does not is closed. */
const closedWithoutRules = configuredExtension(rbacFilter, RBACSchema, {
  matcher: denyAll('deny:no-policy'),
  // Envoy counts by the filter's prefix, not by the route's: `rbac.audit.shadow_denied`.
  shadowRulesStatPrefix: 'audit',
});

export interface InboundResources {
  readonly listener: Listener;
  readonly routeConfigs: readonly RouteConfiguration[];
  readonly clusters: readonly Cluster[];
}

/** @returns undefined for a workload without an address or a port: there is nothing to listen for. */
export function translateInbound(
  workload: Workload,
  policy: EffectivePolicy,
  settings: MeshSettings,
): InboundResources | undefined {
  const { addresses, ports } = workload;
  const [host] = addresses;
  if (host === undefined || ports.length === 0) return undefined;
  const checked = demandsCounterSignature(policy);
  const requireClientCertificate = !acceptsAnonymous(policy);
  const chains = ports.map(({ port, protocol }) =>
    filterChain({ port, protocol, checked, requireClientCertificate, settings }),
  );
  return {
    listener: listener(host, chains),
    routeConfigs: ports.map((port) => routeConfig(port, policy, settings)),
    clusters: ports.map((port) => applicationCluster(host, port)),
  };
}

function listener(host: string, filterChains: FilterChain[]): Listener {
  return create(ListenerSchema, {
    name: inboundListener,
    statPrefix: inboundListener,
    address: socketAddress(host, inboundPort),
    listenerFilters: [tlsInspector],
    listenerFiltersTimeout: seconds(clientHelloTimeoutSeconds),
    filterChains,
  });
}

/** All that a filter chain depends on. */
interface ChainKey {
  readonly port: number;
  readonly protocol: AppProtocol;
  /** Whether the counter-signature is checked when a connection is made. */
  readonly checked: boolean;
  readonly requireClientCertificate: boolean;
  readonly settings: MeshSettings;
}

const filterChain = once(
  ({ port, protocol, checked, requireClientCertificate, settings }: ChainKey): FilterChain =>
    create(FilterChainSchema, {
      name: `${inboundListener}|${port}`,
      filterChainMatch: { serverNames: [meshServerName(port)] },
      transportSocket: downstreamTls(requireClientCertificate),
      transportSocketConnectTimeout: seconds(handshakeTimeoutSeconds),
      filters: [
        ...(checked ? [counterSignatureFilter] : []),
        httpConnectionManager({
          statPrefix: inboundCluster(port),
          codecType: HttpConnectionManager_CodecType.HTTP2,
          commonHttpProtocolOptions: connectionAge(settings),
          routeSpecifier: rds(inboundRouteConfig(port)),
          httpFilters: [
            closedWithoutRules,
            // After it: what Envoy alone denies is no call.
            ...extAuthzFilters(checked),
          ],
          accessLog: [inboundAccessLog],
          // Who calls is the proxy's word: what the caller put into x-forwarded-client-cert is replaced.
          forwardClientCertDetails: HttpConnectionManager_ForwardClientCertDetails.SANITIZE_SET,
          setCurrentClientCertDetails: { uri: true },
          upgradeConfigs: protocol === 'tcp' ? [{ upgradeType: 'CONNECT' }] : [],
          localReplyConfig: denialReply(settings),
        }),
      ],
    }),
);

function routeConfig(
  port: WorkloadPort,
  policy: EffectivePolicy,
  settings: MeshSettings,
): RouteConfiguration {
  const shadow = shadowMatcher(policy, port);
  const toApplication = {
    clusterSpecifier: { case: 'cluster' as const, value: inboundCluster(port.port) },
    timeout: seconds(0),
  };
  return create(RouteConfigurationSchema, {
    name: inboundRouteConfig(port.port),
    virtualHosts: [
      {
        name: inboundCluster(port.port),
        domains: ['*'],
        typedPerFilterConfig: {
          [rbacFilter]: any(RBACPerRouteSchema, {
            rbac: {
              matcher: enforcedMatcher(policy, port, settings),
              ...(shadow === undefined ? {} : { shadowMatcher: shadow, shadowRulesStatPrefix: auditPrefix }),
            },
          }),
          ...extAuthzPerRoute(policy, port),
        },
        routes: [
          port.protocol === 'tcp'
            ? {
                match: { pathSpecifier: { case: 'connectMatcher', value: {} } },
                action: {
                  case: 'route',
                  // An empty connectConfig ends the CONNECT here: its payload goes on as plain TCP.
                  value: {
                    ...toApplication,
                    upgradeConfigs: [{ upgradeType: 'CONNECT', connectConfig: {} }],
                  },
                },
              }
            : {
                match: { pathSpecifier: { case: 'prefix', value: '/' } },
                action: { case: 'route', value: toApplication },
              },
        ],
      },
    ],
  });
}

function applicationCluster(host: string, port: WorkloadPort): Cluster {
  const name = inboundCluster(port.port);
  return create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC },
    connectTimeout: seconds(applicationConnectTimeoutSeconds),
    typedExtensionProtocolOptions: applicationProtocol(port.protocol),
    loadAssignment: {
      clusterName: name,
      endpoints: [
        {
          lbEndpoints: [
            { hostIdentifier: { case: 'endpoint', value: { address: socketAddress(host, port.port) } } },
          ],
        },
      ],
    },
  });
}
