// What a check of the demo is.

import type { RunningMesh } from './running-mesh.ts';

/** The stable names of the checks. Programs that read the JSON know them. */
export const checkIds = [
  'handshake-group',
  'handshake-signature',
  'spiffe-identity',
  'allowed-call',
  'denied-call',
  'classical-client-refused',
  'plaintext-refused',
  'foreign-ca-refused',
  'classical-anchor-refused',
  'wrong-server-refused',
  'policy-edit',
  'endpoint-change',
  'svid-rotation',
  'control-plane-restart',
  'bad-manifest',
  'tcp-tunnel',
  'counter-signature-required',
  'token-required',
  'condition-denied',
  'agent-restart',
] as const;
export type CheckId = (typeof checkIds)[number];

/** What a check found. `detail` says what was seen, in either case. */
export interface Verdict {
  readonly ok: boolean;
  readonly detail: string;
}

/**
 * One thing the mesh promises. It looks from outside (Envoy's admin interface, a TLS client, bytes on the wire), and
 * what it sees is judged by a pure function, so that tests can show it something bad.
 */
export interface Check {
  readonly id: CheckId;
  /** Rejects when it could not look; that counts as failed. */
  readonly run: (mesh: RunningMesh) => Promise<Verdict>;
}

export interface CheckResult extends Verdict {
  readonly id: CheckId;
  readonly ms: number;
}

/** All that has to hold, in words: the first that does not is the detail of the verdict. */
export function verdict(problems: readonly (string | undefined)[], detail: string): Verdict {
  const found = problems.filter((problem) => problem !== undefined);
  return found.length === 0 ? { ok: true, detail } : { ok: false, detail: found.join('; ') };
}

/** A problem unless it holds. */
export function unless(holds: boolean, problem: string): string | undefined {
  return holds ? undefined : problem;
}
