// How a denial looks from outside. It says which policy it comes from: `deny:<namespace>/<policy>`, with what failed after
// it where the agent decided.

import { auditKey, deniedHeader, deniedKey } from '../agreed-names.ts';
import { extAuthzMetadata } from './ext-authz.ts';
import type { MeshSettings } from './settings.ts';

/** Set by Envoy when the agent said no, and when it said nothing. */
const askedAgentFlag = 'UAEX';
const forbidden = 403;

/** For the access log: what the agent said against the request, and what policies in `warn` or `audit` have against it. */
export const agentDenial = `%DYNAMIC_METADATA(${extAuthzMetadata}:${deniedKey})%`;
export const agentAudit = `%DYNAMIC_METADATA(${extAuthzMetadata}:${auditKey})%`;

/** Envoy's own RBAC names the matched action in the details; the agent's reason stands in the metadata of its answer. */
export function denialReply(settings: MeshSettings) {
  return {
    mappers: [
      {
        filter: { filterSpecifier: { case: 'andFilter' as const, value: { filters: [askedAgent, denied] } } },
        ...reply(settings, `ext_authz_denied[${agentDenial}]`),
      },
      { filter: askedAgent, ...reply(settings, 'ext_authz_error[the agent did not answer; try again]') },
      { filter: denied, ...reply(settings, '%RESPONSE_CODE_DETAILS%') },
    ],
  };
}

const askedAgent = {
  filterSpecifier: { case: 'responseFlagFilter' as const, value: { flags: [askedAgentFlag] } },
};

const denied = {
  filterSpecifier: {
    case: 'statusCodeFilter' as const,
    value: { comparison: { value: { defaultValue: forbidden, runtimeKey: 'trellis.denied_status' } } },
  },
};

function reply({ denialReasons }: MeshSettings, reason: string) {
  const shown = denialReasons === 'shown';
  return {
    headersToAdd: shown ? [{ header: { key: deniedHeader, value: reason } }] : [],
    bodyFormatOverride: {
      format: {
        case: 'jsonFormat' as const,
        value: { error: 'denied by the mesh', ...(shown ? { reason } : {}) },
      },
    },
  };
}
