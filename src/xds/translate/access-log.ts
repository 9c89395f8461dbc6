// One JSON line per request on Envoy's standard output, the same fields on both sides of a call.

import { StdoutAccessLogSchema } from '../../gen/proto/envoy/extensions/access_loggers/stream/v3/stream_pb.ts';
import { configuredExtension } from './any.ts';
import { agentAudit, agentDenial } from './denial.ts';

export const rbacFilter = 'envoy.filters.http.rbac';
/** Before the dynamic metadata in which the RBAC filter leaves what policies in `warn` or `audit` would have done. */
export const auditPrefix = 'audit_';

const decisions = {
  // Why the agent denied it, where it did.
  denied: agentDenial,
  // `deny:<namespace>/<policy>` where a policy that is not enforced would have denied; Envoy's word, and the agent's.
  audit: `%DYNAMIC_METADATA(${rbacFilter}:${auditPrefix}shadow_effective_policy_id)%`,
  auditByAgent: agentAudit,
};

/**
 * `peer` is the SPIFFE ID at the other end, empty when it showed no certificate. Envoy fills it in even when
 * verification failed, but then no request reaches this log. No header or body that a caller chose is logged but the
 * authority, method and path.
 */
function accessLog(direction: 'inbound' | 'outbound') {
  const peer = direction === 'inbound' ? '%DOWNSTREAM_PEER_URI_SAN%' : '%UPSTREAM_PEER_URI_SAN%';
  const self = direction === 'inbound' ? '%DOWNSTREAM_LOCAL_URI_SAN%' : '%UPSTREAM_LOCAL_URI_SAN%';
  const tlsVersion = direction === 'inbound' ? '%DOWNSTREAM_TLS_VERSION%' : '%UPSTREAM_TLS_VERSION%';
  const fields = {
    time: '%START_TIME%',
    direction,
    self,
    peer,
    method: '%REQ(:METHOD)%',
    authority: '%REQ(:AUTHORITY)%',
    // The path itself, not what x-envoy-original-path claims; without the query, where applications put secrets.
    path: '%PATH(NQ:PATH)%',
    code: '%RESPONSE_CODE%',
    details: '%RESPONSE_CODE_DETAILS%',
    ...(direction === 'inbound' ? decisions : {}),
    flags: '%RESPONSE_FLAGS%',
    tls: tlsVersion,
    cluster: '%UPSTREAM_CLUSTER%',
    ms: '%DURATION%',
    requestId: '%REQ(X-REQUEST-ID)%',
  };
  return configuredExtension('envoy.access_loggers.stdout', StdoutAccessLogSchema, {
    accessLogFormat: {
      case: 'logFormat',
      value: { format: { case: 'jsonFormat', value: fields } },
    },
  });
}

export const inboundAccessLog = accessLog('inbound');
export const outboundAccessLog = accessLog('outbound');
