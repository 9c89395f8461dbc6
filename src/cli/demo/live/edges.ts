// Who has talked to whom, and what was decided, gathered from the access logs.

import type { Access } from './access-log.ts';
import { shortName } from './access-log.ts';

/** One kind of request between two workloads with one outcome. */
export interface Edge {
  readonly from: string;
  readonly to: string;
  readonly callerId: string;
  readonly calledId: string;
  readonly request: string;
  /** `allowed`, or `denied by <policy>`, with the cause where there is one. */
  readonly decision: string;
  readonly denied: boolean;
  readonly count: number;
  /** When it was last seen, in milliseconds since 1970. */
  readonly lastAt: number;
}

/** Paths come from the applications: there may be any number of them. */
const maxEdges = 200;

export interface Change {
  readonly edge: Edge;
  /** The decision on the same request before; undefined when it is new. */
  readonly before: string | undefined;
}

export class Edges {
  readonly #edges = new Map<string, Edge>();
  readonly #latest = new Map<string, string>();

  /** Counts a request. @returns what is new about it: its first appearance, or another decision than the last time */
  add(access: Access): Change | undefined {
    const from = shortName(access.caller);
    const to = shortName(access.called);
    const decision = describeDecision(access);
    const what = `${from} ${to} ${access.request}`;
    const key = `${what} ${decision}`;
    const known = this.#edges.get(key);
    if (known === undefined && this.#edges.size >= maxEdges) return undefined;
    const edge: Edge = {
      from,
      to,
      callerId: access.caller,
      calledId: access.called,
      request: access.request,
      decision,
      denied: access.denial !== undefined,
      count: (known?.count ?? 0) + 1,
      lastAt: access.at,
    };
    this.#edges.set(key, edge);
    const before = this.#latest.get(what);
    this.#latest.set(what, decision);
    return before === decision ? undefined : { edge, before };
  }

  /** Sorted by who, whom and what. */
  list(): readonly Edge[] {
    const key = ({ from, to, request, decision }: Edge): string => `${from} ${to} ${request} ${decision}`;
    return [...this.#edges.values()].sort((a, b) => (key(a) < key(b) ? -1 : 1));
  }
}

function describeDecision({ denial, status }: Access): string {
  if (denial === undefined) return status < 400 ? 'allowed' : `allowed, HTTP ${status}`;
  const by = denial.policy === undefined ? '' : ` by ${denial.policy}`;
  const cause = denial.cause === undefined ? '' : ` (${denial.cause.replace(/^rule-(\d+):/, 'rule $1, ')})`;
  return `denied${by}${cause}`;
}
