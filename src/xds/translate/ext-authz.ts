// Where Envoy asks the agent. HTTP filters stand in every inbound listener, switched off: a route that needs one switches
// it on, so that an edit reaches the next request on open connections and a route that needs none asks nobody.

import { create } from '@bufbuild/protobuf';
import { ApiVersion } from '../../gen/proto/envoy/config/core/v3/config_source_pb.ts';
import {
  ExtAuthzPerRouteSchema,
  ExtAuthzSchema,
} from '../../gen/proto/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.ts';
import { ExtAuthzSchema as NetworkExtAuthzSchema } from '../../gen/proto/envoy/extensions/filters/network/ext_authz/v3/ext_authz_pb.ts';
import {
  type HttpFilter,
  HttpFilterSchema,
} from '../../gen/proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import { StatusCode } from '../../gen/proto/envoy/type/v3/http_status_pb.ts';
import { agentDecides, type PortContext } from '../../policy/agent-decides.ts';
import { type EffectivePolicy, hybridPolicies } from '../../policy/effective.ts';
import { authzClusterName, portExtension } from '../agreed-names.ts';
import { any, configuredExtension } from './any.ts';
import { milliseconds } from './duration.ts';

/** Under this name every instance of the filter leaves what the agent says beside its verdict. */
export const extAuthzMetadata = 'envoy.filters.http.ext_authz';

/** Decides, and fails closed. */
const enforcing = 'trellis.authorization';
/** The same with the peer's certificate, 8 KB a request: for connections whose counter-signature was not checked when they were made. */
const checkingCounterSignature = 'trellis.authorization.counter-signature';
/** For policies in `warn` or `audit` alone: an agent that is away must not deny what they would not. */
const recording = 'trellis.authorization.audit';

/**
 * An agent answers in well under a millisecond; this is for one that restarts or is starved of CPU. Envoy's own default of
 * 200 ms is known to deny at every hiccup.
 */
const checkTimeoutMs = 1_000;

const agentService = {
  targetSpecifier: { case: 'envoyGrpc' as const, value: { clusterName: authzClusterName } },
  timeout: milliseconds(checkTimeoutMs),
};

/**
 * The HTTP filters that may ask the agent, each switched off.
 * @param checked whether the listener has checked the counter-signature of every connection: then the filter that would do so
 *   for each request is not there, and a route that switches it on switches nothing. So both kinds of listener share
 *   their routes, and connections made before or after the demand all follow every later edit.
 */
export function extAuthzFilters(checked: boolean): readonly HttpFilter[] {
  return checked ? filtersWhereChecked : filters;
}

const filters = [
  filter(enforcing, {}),
  filter(checkingCounterSignature, { includePeerCertificate: true }),
  filter(recording, { failureModeAllow: true }),
];
const filtersWhereChecked = filters.filter(({ name }) => name !== checkingCounterSignature);

function filter(name: string, specific: { includePeerCertificate?: boolean; failureModeAllow?: boolean }) {
  return create(HttpFilterSchema, {
    name,
    disabled: true,
    configType: {
      case: 'typedConfig',
      value: any(ExtAuthzSchema, {
        services: { case: 'grpcService', value: agentService },
        transportApiVersion: ApiVersion.V3,
        // Otherwise headers that occur twice arrive merged into one.
        encodeRawHeaders: true,
        // Nobody said no: a caller may well try again.
        statusOnError: { code: StatusCode.ServiceUnavailable },
        ...specific,
      }),
    },
  });
}

/** What a route switches on. */
export function extAuthzPerRoute(policy: EffectivePolicy, context: PortContext) {
  const settings = { contextExtensions: { [portExtension]: String(context.port) } };
  const on = any(ExtAuthzPerRouteSchema, { override: { case: 'checkSettings', value: settings } });
  return Object.fromEntries(filtersFor(policy, context).map((name) => [name, on]));
}

function filtersFor(policy: EffectivePolicy, context: PortContext): readonly string[] {
  // What is closed is closed without asking.
  if (policy.conflicts.length > 0) return [];
  const first = demandsCounterSignature(policy) ? [checkingCounterSignature] : [];
  if (agentDecides(policy.requirements, context)) return [...first, enforcing];
  if (agentDecides(policy.shadowRequirements, context)) return [...first, recording];
  return first;
}

export function demandsCounterSignature(policy: EffectivePolicy): boolean {
  return hybridPolicies(policy).length > 0;
}

/** Once per connection, before its first byte is read as HTTP: is the peer's certificate counter-signed? */
export const counterSignatureFilter = configuredExtension(
  'envoy.filters.network.ext_authz',
  NetworkExtAuthzSchema,
  {
    statPrefix: 'counter_signature',
    transportApiVersion: ApiVersion.V3,
    grpcService: agentService,
    includePeerCertificate: true,
  },
);
