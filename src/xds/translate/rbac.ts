// Authorization requirements as Envoy RBAC.
//
// One matcher tree says for each policy "not (one of its rules matches) → deny, by this policy's name", in order of
// name, and allows what is left: every policy must allow, and a denial names the one that did not. Envoy's older
// `rules` API cannot name a denial.

import type { MessageInitShape } from '@bufbuild/protobuf';
import { create } from '@bufbuild/protobuf';
import { ActionSchema, RBAC_Action } from '../../gen/proto/envoy/config/rbac/v3/rbac_pb.ts';
import { UriSanInputSchema } from '../../gen/proto/envoy/extensions/matching/common_inputs/ssl/v3/ssl_inputs_pb.ts';
import { HttpRequestHeaderMatchInputSchema } from '../../gen/proto/envoy/type/matcher/v3/http_inputs_pb.ts';
import {
  type Matcher,
  type Matcher_MatcherList_Predicate,
  Matcher_MatcherList_PredicateSchema,
  type Matcher_OnMatch,
  Matcher_OnMatchSchema,
  MatcherSchema,
} from '../../gen/proto/xds/type/matcher/v3/matcher_pb.ts';
import type { StringMatcherSchema } from '../../gen/proto/xds/type/matcher/v3/string_pb.ts';
import { compareText } from '../../model/problem.ts';
import { isConditional, type PortContext } from '../../policy/agent-decides.ts';
import { denialReason } from '../../policy/denial-reason.ts';
import {
  type AuthorizationRequirement,
  type AuthorizationRule,
  acceptsAnonymous,
  type Conflict,
  type EffectivePolicy,
} from '../../policy/effective.ts';
import { pathGlobToRegex } from '../../policy/path-glob.ts';
import { extension } from './any.ts';
import type { MeshSettings } from './settings.ts';

type Predicate = Matcher_MatcherList_Predicate;
type StringMatch = MessageInitShape<typeof StringMatcherSchema>['matchPattern'];

/** A predicate that may turn out constant, which Envoy's matchers cannot say. */
type Condition = Predicate | boolean;

interface Clause {
  /** The reason of the denial, as it appears in `%RESPONSE_CODE_DETAILS%`. */
  readonly action: string;
  /** When this holds the request is denied. */
  readonly denies: Condition;
}

/** What the virtual host of a port enforces. Fails closed: any conflict denies everything, by name. */
export function enforcedMatcher(
  policy: EffectivePolicy,
  context: PortContext,
  settings: MeshSettings,
): Matcher {
  const [conflict] = policy.conflicts;
  if (conflict !== undefined) return denyAll(conflictAction(conflict));
  return matcher([
    identityClause(policy, settings),
    ...quarantineClauses(policy),
    ...policy.requirements.map((requirement) => clause(requirement, context)),
  ]);
}

/** What policies in `warn` or `audit` would have denied; undefined when there are none. */
export function shadowMatcher(policy: EffectivePolicy, context: PortContext): Matcher | undefined {
  if (policy.shadowRequirements.length === 0) return undefined;
  return matcher(policy.shadowRequirements.map((requirement) => clause(requirement, context)));
}

/** Denies every request under one name. */
export function denyAll(action: string): Matcher {
  return create(MatcherSchema, { onNoMatch: outcome(action, RBAC_Action.DENY) });
}

export function conflictAction(conflict: Conflict): string {
  const what = conflict.dimension === 'quarantine' ? 'quarantine' : `${conflict.dimension}-conflict`;
  return denialReason(conflict.policies, what);
}

function matcher(clauses: readonly Clause[]): Matcher {
  const conditional: { predicate: Predicate; onMatch: Matcher_OnMatch }[] = [];
  let otherwise = outcome('allow', RBAC_Action.ALLOW);
  for (const { action, denies } of clauses) {
    if (denies === false) continue;
    if (denies === true) {
      // Nothing after a clause that always denies can change the outcome.
      otherwise = outcome(action, RBAC_Action.DENY);
      break;
    }
    conditional.push({ predicate: denies, onMatch: outcome(action, RBAC_Action.DENY) });
  }
  if (conditional.length === 0) return create(MatcherSchema, { onNoMatch: otherwise });
  return create(MatcherSchema, {
    matcherType: { case: 'matcherList', value: { matchers: conditional } },
    onNoMatch: otherwise,
  });
}

function outcome(name: string, action: RBAC_Action): Matcher_OnMatch {
  return create(Matcher_OnMatchSchema, {
    onMatch: { case: 'action', value: extension('action', ActionSchema, { name, action }) },
  });
}

/**
 * Only workloads are peers: the identities of Trellis' own parts are good for talking to each other. And what asks for a
 * certificate must ask for it here as well as in the handshake, because connections made under a laxer policy stay open.
 */
function identityClause(policy: EffectivePolicy, { trustDomain }: MeshSettings): Clause {
  const workload = principal({ case: 'prefix', value: `spiffe://${trustDomain}/ns/` });
  const trellis = principal({ case: 'prefix', value: `spiffe://${trustDomain}/trellis/` });
  return {
    action: denialReason(policy.authenticationPolicies, 'quantumAuthentication'),
    denies: acceptsAnonymous(policy) ? trellis : not(workload),
  };
}

function quarantineClauses(policy: EffectivePolicy): readonly Clause[] {
  return [...policy.quarantine]
    .sort(([a], [b]) => compareText(a, b))
    .map(([id, by]) => ({
      action: denialReason([by], 'quarantine'),
      denies: principal({ case: 'exact', value: id }),
    }));
}

function clause(requirement: AuthorizationRequirement, context: PortContext): Clause {
  return {
    action: denialReason([requirement.policy]),
    denies: not(or(requirement.rules.map((rule) => ruleCondition(rule, context)))),
  };
}

/** Of a rule with a token or a condition this is the part that Envoy can decide; the rest is the agent's, who is asked after it. */
function ruleCondition(rule: AuthorizationRule, context: PortContext): Condition {
  if (context.protocol === 'tcp' && isConditional(rule)) return false;
  const from = rule.from === undefined ? true : or(rule.from.map((source) => principals(source.principals)));
  const to = rule.to === undefined ? true : or(rule.to.map((target) => targetCondition(target, context)));
  return and([from, to]);
}

type Target = NonNullable<AuthorizationRule['to']>[number];

function targetCondition(target: Target, context: PortContext): Condition {
  if (target.ports !== undefined && !target.ports.includes(context.port)) return false;
  // Opaque bytes have neither method nor path, so a rule that asks for one cannot match them.
  if (context.protocol === 'tcp') return target.methods === undefined && target.paths === undefined;
  const methods = target.methods?.map((method) => header(':method', { case: 'exact', value: method }));
  const paths = target.paths?.map((glob) => header(':path', regex(pathGlobToRegex(glob))));
  return and([methods === undefined ? true : or(methods), paths === undefined ? true : or(paths)]);
}

function principals(patterns: readonly string[] | undefined): Condition {
  return patterns === undefined ? true : or(patterns.map((pattern) => principal(principalMatch(pattern))));
}

/** `*` is any authenticated identity, a trailing `/*` everything below a path, the rest exactly one identity. */
function principalMatch(pattern: string): StringMatch {
  if (pattern === '*') return { case: 'prefix', value: 'spiffe://' };
  if (pattern.endsWith('/*')) return { case: 'prefix', value: pattern.slice(0, -1) };
  return { case: 'exact', value: pattern };
}

function principal(match: StringMatch): Predicate {
  return single(extension('uri-san', UriSanInputSchema, {}), match);
}

function header(name: string, match: StringMatch): Predicate {
  return single(extension('request-header', HttpRequestHeaderMatchInputSchema, { headerName: name }), match);
}

function regex(expression: string): StringMatch {
  // Envoy refuses a regex that does not name its engine.
  return { case: 'safeRegex', value: { regex: expression, engineType: { case: 'googleRe2', value: {} } } };
}

function single(input: ReturnType<typeof extension>, matchPattern: StringMatch): Predicate {
  return create(Matcher_MatcherList_PredicateSchema, {
    matchType: {
      case: 'singlePredicate',
      value: {
        input,
        matcher: { case: 'valueMatch', value: matchPattern === undefined ? {} : { matchPattern } },
      },
    },
  });
}

function or(conditions: readonly Condition[]): Condition {
  if (conditions.includes(true)) return true;
  return combine('orMatcher', conditions, false);
}

function and(conditions: readonly Condition[]): Condition {
  if (conditions.includes(false)) return false;
  return combine('andMatcher', conditions, true);
}

function not(condition: Condition): Condition {
  if (typeof condition === 'boolean') return !condition;
  return create(Matcher_MatcherList_PredicateSchema, { matchType: { case: 'notMatcher', value: condition } });
}

/** Envoy wants two predicates at least in a list; fewer stand for themselves. */
function combine(
  kind: 'orMatcher' | 'andMatcher',
  conditions: readonly Condition[],
  empty: boolean,
): Condition {
  const predicate = conditions.filter((condition) => typeof condition !== 'boolean');
  const [first, second] = predicate;
  if (first === undefined) return empty;
  if (second === undefined) return first;
  return create(Matcher_MatcherList_PredicateSchema, { matchType: { case: kind, value: { predicate } } });
}
