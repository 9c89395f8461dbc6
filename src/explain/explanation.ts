// What `trellis explain` has to say, as data: `--json` prints this, so names and shapes stay as they are.

import type { AppProtocol, NamespacedName } from '../model/mesh.ts';
import type { AuthorizationRule, PostQuantumEncryption, QuantumAuthentication } from '../policy/effective.ts';
import type { Enforcement } from '../policy/enforcement.ts';

export interface Explanation {
  /** Whether every pod that may get the call allows it. */
  readonly allowed: boolean;
  /** Why not, as the mesh says it: `deny:<namespace>/<policy>…` where a policy is the reason. */
  readonly reason: string | undefined;
  readonly caller: {
    readonly workload: NamespacedName;
    readonly identity: string;
    /** Whether it has a proxy that takes part in the mesh. */
    readonly inMesh: boolean;
  };
  readonly called: {
    readonly kind: 'service' | 'pod';
    readonly name: NamespacedName;
    /** Of the Service, or of the pod when that was asked about. */
    readonly port: number;
    readonly protocol: AppProtocol;
    /** The Service that leads there; of several the first by name. */
    readonly through: NamespacedName | undefined;
  };
  /** Undefined for TCP: opaque bytes. */
  readonly request: ExplainedRequest | undefined;
  readonly route: Route;
  /** The pods that may get the call, in order of name; empty when the caller's own proxy refuses it. */
  readonly targets: readonly Target[];
  /** What else one should know, in sentences. */
  readonly notes: readonly string[];
}

export interface ExplainedRequest {
  readonly method: string;
  readonly path: string;
  readonly host: string;
  /** Names, not values, which may be secret. */
  readonly headers: readonly string[];
  readonly token: ExplainedToken | undefined;
}

export type ExplainedToken =
  | {
      readonly valid: true;
      readonly type: string;
      readonly subject: string;
      readonly audience: string;
      readonly expiresAt: string;
    }
  | { readonly valid: false; readonly failure: string };

/** What becomes of the call on the caller's side. */
export type Route =
  /** To another proxy. */
  | { readonly kind: 'mesh' }
  /** From the caller's proxy to something outside the mesh. */
  | { readonly kind: 'plaintext' }
  /** The caller has no proxy that takes part: it connects by itself. */
  | { readonly kind: 'without-proxy' }
  /** The caller's own proxy answers. */
  | { readonly kind: 'refused'; readonly status: number; readonly reason: string };

export interface Target {
  /** Undefined for an address that is no pod of the mesh. */
  readonly workload: NamespacedName | undefined;
  readonly identity: string | undefined;
  readonly address: string;
  /** The pod's own port. */
  readonly port: number;
  readonly allowed: boolean;
  readonly reason: string | undefined;
  /** Whose word it is: Envoy's alone, or that of the agent of the called pod, whom Envoy asks. Nobody's in plaintext. */
  readonly decidedBy: 'envoy' | 'agent' | 'nobody';
  readonly connection: Connection;
  /** Those that select the pod, in order of name. */
  readonly policies: readonly PolicyVerdict[];
  /** Reasons with which policies in `warn` or `audit` would deny. */
  readonly audit: readonly string[];
}

export type Connection =
  | { readonly encryption: 'plaintext' }
  /** There would be none. */
  | { readonly encryption: 'refused' }
  | {
      readonly encryption: 'mutual-tls';
      readonly version: string;
      readonly group: string;
      /** Of the handshake, and of the certificates on both sides. */
      readonly signature: string;
      /** SPIFFE IDs the caller accepts from the server. */
      readonly serverIdentities: readonly string[];
      readonly clientCertificate: 'required' | 'optional';
      /** The policies for which the agent checks the ECDSA signature on the caller's certificate, once per connection. */
      readonly counterSignature: readonly NamespacedName[];
    };

export interface PolicyVerdict {
  readonly policy: NamespacedName;
  readonly enforcement: Enforcement;
  readonly postQuantumEncryption: PostQuantumEncryption | undefined;
  readonly quantumAuthentication: QuantumAuthentication | undefined;
  /** Undefined: the policy has no rules about callers. */
  readonly allows: boolean | undefined;
  /** The rule that allows; or the first one that is about the call but whose token or condition does not hold. */
  readonly rule: number | undefined;
  readonly reason: string | undefined;
  readonly cause: string | undefined;
  /** Where no rule is about the call: what this policy does let the caller do. */
  readonly rulesForCaller: readonly RuleForCaller[];
}

export interface RuleForCaller extends Pick<AuthorizationRule, 'to' | 'token' | 'condition'> {
  readonly rule: number;
}

/** One JSON document; what is not there is null, so that every field always is. */
export function explanationJson(explanation: Explanation): string {
  return JSON.stringify(explanation, (_, value: unknown) => (value === undefined ? null : value), 2);
}
