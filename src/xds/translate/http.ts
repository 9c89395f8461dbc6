// What the HTTP connection managers on both sides have in common.

import type { MessageInitShape } from '@bufbuild/protobuf';
import { ApiVersion } from '../../gen/proto/envoy/config/core/v3/config_source_pb.ts';
import { RouterSchema } from '../../gen/proto/envoy/extensions/filters/http/router/v3/router_pb.ts';
import {
  HttpConnectionManager_PathWithEscapedSlashesAction,
  HttpConnectionManager_ServerHeaderTransformation,
  HttpConnectionManagerSchema,
} from '../../gen/proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import { HeaderMutationSchema } from '../../gen/proto/envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation_pb.ts';
import { configuredExtension, extension } from './any.ts';
import { milliseconds, seconds } from './duration.ts';
import { proxyHeaderPatterns } from './proxy-headers.ts';
import type { MeshSettings } from './settings.ts';

/** How long requests in flight may finish once a connection has reached that age. */
const connectionDrainSeconds = 10;
/** An HTTP/2 peer with more open streams than this waits (Envoy's own advice for untrusted peers). */
const maxConcurrentStreams = 1000;
/** Time for a peer to finish its request headers. */
const requestHeadersTimeoutSeconds = 10;

export const http2Options = {
  // Extended CONNECT carries WebSockets, plain CONNECT carries TCP between proxies.
  allowConnect: true,
  maxConcurrentStreams,
};

export function connectionAge({ maxConnectionAgeMs }: MeshSettings) {
  return { maxConnectionDuration: milliseconds(maxConnectionAgeMs) };
}

/** Before anything is decided by them. */
const removeProxyHeaders = extension(
  'envoy.http.early_header_mutation.header_mutation',
  HeaderMutationSchema,
  {
    mutations: proxyHeaderPatterns.map((matchPattern) => ({
      action: { case: 'removeOnMatch' as const, value: { keyMatcher: { matchPattern } } },
    })),
  },
);

const router = configuredExtension('envoy.filters.http.router', RouterSchema, { suppressEnvoyHeaders: true });

/** Route configuration by name over ADS. */
export function rds(routeConfigName: string) {
  return {
    case: 'rds' as const,
    value: {
      routeConfigName,
      configSource: {
        resourceApiVersion: ApiVersion.V3,
        configSourceSpecifier: { case: 'ads' as const, value: {} },
      },
    },
  };
}

type HttpConnectionManagerInit = Extract<
  MessageInitShape<typeof HttpConnectionManagerSchema>,
  { $typeName?: never }
>;

export function httpConnectionManager(specific: HttpConnectionManagerInit) {
  return configuredExtension('envoy.filters.network.http_connection_manager', HttpConnectionManagerSchema, {
    ...specific,
    httpFilters: [...(specific.httpFilters ?? []), router],
    drainTimeout: seconds(connectionDrainSeconds),
    requestHeadersTimeout: seconds(requestHeadersTimeoutSeconds),
    // A stream may be idle for as long as its connection lives: the application's own time-outs decide.
    streamIdleTimeout: seconds(0),
    http2ProtocolOptions: http2Options,
    earlyHeaderMutationExtensions: [removeProxyHeaders],
    // One spelling of a path before anything is decided by it.
    normalizePath: true,
    mergeSlashes: true,
    pathWithEscapedSlashesAction: HttpConnectionManager_PathWithEscapedSlashesAction.REJECT_REQUEST,
    stripTrailingHostDot: true,
    // The application should not notice the proxy: no headers of Envoy's own, its request ids and 100-continue kept.
    serverHeaderTransformation: HttpConnectionManager_ServerHeaderTransformation.PASS_THROUGH,
    preserveExternalRequestId: true,
    proxy100Continue: true,
    upgradeConfigs: [{ upgradeType: 'websocket' }, ...(specific.upgradeConfigs ?? [])],
  });
}
