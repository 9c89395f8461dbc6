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
  /** `<namespace>/<name>` of the policy that denied it. */
  readonly deniedBy: string | undefined;
  readonly status: number;
}

const forbidden = 403;

/** @returns undefined for lines that say nothing about a request between workloads */
export function parseAccess(line: string): Access | undefined {
  if (!line.startsWith('{')) return undefined;
  let fields: Record<string, unknown>;
  try {
    fields = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  const { time, direction, self, peer, method, path, code, details } = fields;
  if (direction !== 'inbound' || typeof peer !== 'string' || typeof self !== 'string' || peer === '')
    return undefined;
  const status = Number(code);
  const request = method === 'CONNECT' ? 'CONNECT' : `${String(method)} ${String(path)}`;
  return {
    at: Date.parse(String(time)),
    caller: peer,
    called: self,
    request,
    status,
    deniedBy: status === forbidden ? policyOf(details) : undefined,
  };
}

/** From `rbac_access_denied_matched_policy[deny:<namespace>/<name>]`. */
function policyOf(details: unknown): string {
  return /\[deny:([^\]]+)\]/.exec(String(details))?.[1] ?? 'unknown';
}

/** The last part of a SPIFFE ID, which is the service account's name. */
export function shortName(spiffeId: string): string {
  return spiffeId.split('/').at(-1) ?? spiffeId;
}
