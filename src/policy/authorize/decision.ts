// What deciding a request comes to, and how a denial is written.

import { denialReason } from '../denial-reason.ts';

/** What can be wrong with a token whoever asks for it. */
export type TokenFailure =
  | 'token-malformed'
  | 'token-unknown-key'
  | 'token-algorithm'
  | 'token-signature'
  | 'token-expired'
  | 'token-not-yet-valid'
  | 'token-lifetime'
  | 'token-audience'
  | 'token-subject';

/** Why a policy does not allow a request. A closed set: these are labels of a metric. */
export type Cause =
  /** No rule is about this caller and operation. */
  | 'no-rule'
  | 'token-missing'
  | TokenFailure
  /** The token is in order, but of a kind that the rule does not take. */
  | 'token-type'
  /** Its subject is in quarantine. */
  | 'token-quarantined'
  | 'condition-false'
  /** The condition came to no answer: a header that is not there, a number out of range. */
  | 'condition-error'
  /**
   * A header that the rule reads occurs more than once, or beside one whose name differs in `_` and `-` alone; applications
   * differ in which one they take.
   */
  | 'duplicate-header'
  /** A header that the rule reads is not UTF-8, or has space around it, which the next HTTP/1 hop takes away. */
  | 'invalid-header'
  /** The path that the condition reads is another one to servers that know path parameters: `/a/..;/b`. */
  | 'ambiguous-path'
  /** A value that the condition reads is longer than conditions may be given. */
  | 'input-too-large'
  /** The conditions asked for this request together cost more than one request may. */
  | 'condition-cost';

export interface Denial {
  /** `<namespace>/<name>` */
  readonly policy: string;
  /** Index in `spec.authorization` of the first rule that is about the request but whose token or condition does not hold. */
  readonly rule: number | undefined;
  readonly cause: Cause;
}

/** Which rule of a policy allowed. */
export interface MatchedRule {
  readonly policy: string;
  readonly rule: number;
}

interface Outcome {
  /** What policies in `warn` or `audit` would have denied. */
  readonly shadow: readonly Denial[];
}

export type Decision = Outcome &
  (
    | { readonly allowed: true; readonly matched: readonly MatchedRule[] }
    | { readonly allowed: false; readonly denial: Denial }
  );

/** `deny:<namespace>/<policy>:rule-<index>:<cause>`; where no rule is about the request, as Envoy's RBAC says it: `deny:<namespace>/<policy>`. */
export function reasonText({ policy, rule, cause }: Denial): string {
  const what: string[] = rule === undefined ? [] : [`rule-${rule}`];
  if (cause !== 'no-rule') what.push(cause);
  return denialReason([policy], ...what);
}
