// Lines of a proxy's access log, as far as the live table needs them.

/** A request as the proxy of the called workload saw it. */
export interface Access {
  /** When the request began, in milliseconds since 1970. */
  readonly at: number;
  /** SPIFFE ID of the caller. */
  readonly caller: string;
  /** SPIFFE ID of the workload that was called. */
  readonly called: string;
  /** `POST /orders/42`; `CONNECT` for a TCP connection. */
  readonly request: string;
  readonly status: number;
  /** Undefined when the request went on to the application. */
  readonly denial: Denial | undefined;
}

/** Who denied a request, and why, as far as it is known. */
export interface Denial {
  /** `<namespace>/<name>` */
  readonly policy: string | undefined;
  /** `rule-2:token-missing`, `quarantine`; undefined where no rule of the policy is about the request. */
  readonly cause: string | undefined;
}

const forbidden = 403;
/** Envoy's words in `details`, where it asked the agent. */
const agentDenied = 'ext_authz_denied';
const agentError = 'ext_authz_error';
/** The same, where the application has answered. */
const answered = 'via_upstream';

/** @returns undefined for lines that say nothing about a request between workloads */
export function parseAccess(line: string): Access | undefined {
  if (!line.startsWith('{')) return undefined;
  let fields: Record<string, unknown>;
  try {
    fields = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  const { time, direction, self, peer, method, path, code } = fields;
  if (direction !== 'inbound' || typeof peer !== 'string' || typeof self !== 'string' || peer === '')
    return undefined;
  const request = method === 'CONNECT' ? 'CONNECT' : `${String(method)} ${String(path)}`;
  return {
    at: Date.parse(String(time)),
    caller: peer,
    called: self,
    request,
    status: Number(code),
    denial: denialOf(fields),
  };
}

function denialOf({ code, details, denied }: Record<string, unknown>): Denial | undefined {
  const said = String(details);
  if (said.startsWith(agentError)) return { policy: undefined, cause: 'the agent did not answer' };
  if (said.startsWith(agentDenied)) return parseReason(String(denied));
  // An application may have reasons of its own for a 403.
  if (Number(code) !== forbidden || said === answered) return undefined;
  return parseReason(/\[(deny:[^\]]+)\]/.exec(said)?.[1] ?? '');
}

/** From `deny:<namespace>/<name>`, which a cause may follow, or `deny:<cause>`. */
function parseReason(reason: string): Denial {
  const [, policy, cause, alone] = /^deny:(?:([^:]+\/[^:]+)(?::(.+))?|(.+))$/.exec(reason) ?? [];
  return { policy, cause: policy === undefined ? (alone ?? 'unknown') : cause };
}

/** The last part of a SPIFFE ID, which is the service account's name. */
export function shortName(spiffeId: string): string {
  return spiffeId.split('/').at(-1) ?? spiffeId;
}
