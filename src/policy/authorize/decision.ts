// What deciding a request comes to, and how a denial is written.

/** What can be wrong with a token whoever asks for it. */
export const tokenFailures = [
  'token-malformed',
  'token-unknown-key',
  'token-algorithm',
  'token-signature',
  'token-expired',
  'token-not-yet-valid',
  'token-lifetime',
  'token-audience',
  'token-subject',
] as const;

export type TokenFailure = (typeof tokenFailures)[number];

/** Why a policy does not allow a request. A closed set: these are labels of a metric. */
export const causes = [
  /** No rule is about this caller and operation. */
  'no-rule',
  'token-missing',
  ...tokenFailures,
  /** The token is in order, but of a kind that the rule does not take. */
  'token-type',
  'condition-false',
  /** The condition came to no answer: a header that is not there, a number out of range. */
  'condition-error',
  /** A header that the rule reads occurs more than once; which one the application believes is anyone's guess. */
  'duplicate-header',
  /** A header that the rule reads is not UTF-8. */
  'invalid-header',
  /** A value that the condition reads is longer than conditions may be given. */
  'input-too-large',
  /** The conditions asked for this request together cost more than one request may. */
  'condition-cost',
] as const;

export type Cause = (typeof causes)[number];

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
  /** False when the time or a token had a part in it, so that the same request may come out differently later. */
  readonly repeatable: boolean;
  /** What the conditions asked for it may have cost, in tenths of a microsecond. */
  readonly cost: number;
}

export type Decision = Outcome &
  (
    | { readonly allowed: true; readonly matched: readonly MatchedRule[] }
    | { readonly allowed: false; readonly denial: Denial }
  );

/** `deny:<namespace>/<policy>:rule-<index>:<cause>`; where no rule is about the request, as Envoy's RBAC says it: `deny:<namespace>/<policy>`. */
export function reasonText({ policy, rule, cause }: Denial): string {
  const parts = ['deny', policy];
  if (rule !== undefined) parts.push(`rule-${rule}`);
  if (cause !== 'no-rule') parts.push(cause);
  return parts.join(':');
}
