// Traffic settings of a QuantumService, as the parts of a cluster and a route they become.

import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Duration } from '@bufbuild/protobuf/wkt';
import { Cluster_LbPolicy, type ClusterSchema } from '../../gen/proto/envoy/config/cluster/v3/cluster_pb.ts';
import type { RouteActionSchema } from '../../gen/proto/envoy/config/route/v3/route_components_pb.ts';
import { parseDuration } from '../../model/duration.ts';
import { type MeshState, namespacedName, type QuantumService, type Service } from '../../model/mesh.ts';
import { milliseconds, seconds } from './duration.ts';

type ClusterInit = MessageInitShape<typeof ClusterSchema>;
type RouteActionInit = MessageInitShape<typeof RouteActionSchema>;
type Traffic = NonNullable<QuantumService['spec']['traffic']>;

export interface TrafficSettings {
  readonly cluster: Pick<ClusterInit, 'lbPolicy' | 'circuitBreakers' | 'outlierDetection'>;
  readonly route: Pick<RouteActionInit, 'timeout' | 'retryPolicy'>;
}

/**
 * A request that never reached the application is safe to send again; these conditions say that it did not. Without
 * them every connection that a peer closes by age or restart would cost a request.
 */
const safeRetry = 'connect-failure,refused-stream,reset-before-request';
const safeRetryAttempts = 2;

const defaults: TrafficSettings = {
  cluster: {},
  route: {
    // Time-outs are the application's unless a QuantumService names one.
    timeout: seconds(0),
    retryPolicy: { retryOn: safeRetry, numRetries: safeRetryAttempts },
  },
};

/** The QuantumService of the same name as the Service. */
export function quantumServiceFor(state: MeshState, service: Service): QuantumService | undefined {
  return state.quantumServices.get(namespacedName(service));
}

export function trafficSettings(quantumService: QuantumService | undefined): TrafficSettings {
  const traffic = quantumService?.spec.traffic;
  if (traffic === undefined) return defaults;
  return { cluster: clusterSettings(traffic), route: routeSettings(traffic) };
}

const lbPolicies = {
  ROUND_ROBIN: Cluster_LbPolicy.ROUND_ROBIN,
  LEAST_REQUEST: Cluster_LbPolicy.LEAST_REQUEST,
  RANDOM: Cluster_LbPolicy.RANDOM,
} as const;

function clusterSettings(traffic: Traffic): TrafficSettings['cluster'] {
  const { loadBalancing, circuitBreaker, outlierDetection } = traffic;
  return {
    ...(loadBalancing === undefined ? {} : { lbPolicy: lbPolicies[loadBalancing] }),
    ...(circuitBreaker === undefined ? {} : { circuitBreakers: { thresholds: [circuitBreaker] } }),
    ...(outlierDetection === undefined ? {} : { outlierDetection: outliers(outlierDetection) }),
  };
}

function outliers(settings: NonNullable<Traffic['outlierDetection']>) {
  const { consecutive5xx, interval, baseEjectionTime, maxEjectionPercent } = settings;
  return {
    ...(consecutive5xx === undefined ? {} : { consecutive5xx }),
    ...(interval === undefined ? {} : { interval: duration(interval) }),
    ...(baseEjectionTime === undefined ? {} : { baseEjectionTime: duration(baseEjectionTime) }),
    ...(maxEjectionPercent === undefined ? {} : { maxEjectionPercent }),
  };
}

function routeSettings(traffic: Traffic): TrafficSettings['route'] {
  const { retries, timeout } = traffic;
  return {
    timeout: timeout === undefined ? seconds(0) : duration(timeout),
    retryPolicy:
      retries === undefined
        ? { retryOn: safeRetry, numRetries: safeRetryAttempts }
        : {
            retryOn: [safeRetry, ...(retries.retryOn ?? [])].join(','),
            numRetries: retries.attempts,
            ...(retries.perTryTimeout === undefined
              ? {}
              : { perTryTimeout: duration(retries.perTryTimeout) }),
          },
  };
}

/** The schema has checked the text; one that is no duration all the same must not become an endless time-out. */
function duration(text: string): Duration {
  const value = parseDuration(text);
  if (value === undefined) throw new RangeError(`not a duration: ${text}`);
  return milliseconds(value);
}
