// What one pod says to a call that reaches its mesh listener.

import { meshTls } from '../crypto/algorithms.ts';
import {
  type MeshState,
  namespacedName,
  type Policy,
  type Workload,
  type WorkloadPort,
} from '../model/mesh.ts';
import { compareText } from '../model/problem.ts';
import { workloadSpiffeId } from '../model/spiffe.ts';
import { agentDecides } from '../policy/agent-decides.ts';
import { authorize } from '../policy/authorize/authorize.ts';
import { compileAuthorization } from '../policy/authorize/compile.ts';
import { type Decision, reasonText } from '../policy/authorize/decision.ts';
import { type AuthorizationPolicy, authorizationPolicy } from '../policy/authorize/policy.ts';
import type { RequestAttributes } from '../policy/authorize/request.ts';
import type { TokenVerifier } from '../policy/authorize/token.ts';
import {
  type AuthorizationRule,
  acceptsAnonymous,
  type EffectivePolicy,
  effectivePolicy,
  hybridPolicies,
  quarantineOf,
} from '../policy/effective.ts';
import { enforcementOf } from '../policy/enforcement.ts';
import { policiesFor } from '../policy/selection.ts';
import { enforcedMatcher } from '../xds/translate/rbac.ts';
import { runMatcher } from './envoy-matcher.ts';
import type { Connection, PolicyVerdict, Target } from './explanation.ts';

export interface Judge {
  readonly state: MeshState;
  readonly verifyToken: TokenVerifier;
  readonly now: Date;
}

export interface CalledPod {
  readonly workload: Workload;
  readonly address: string;
  readonly port: WorkloadPort;
  /** What the caller's proxy accepts from the server. */
  readonly serverIdentities: readonly string[];
}

/** The answer of a pod's proxy, and of its agent where that is asked. */
export function judgeInMesh(judge: Judge, called: CalledPod, request: RequestAttributes): Target {
  const { state, verifyToken, now } = judge;
  const { workload, address, port, serverIdentities } = called;
  const policy = effectivePolicy(state, workload);
  const identity = workloadSpiffeId(state.trustDomain, workload.namespace, workload.serviceAccount);
  const decision = authorize(
    compileAuthorization(authorizationPolicy(policy, identity)),
    request,
    verifyToken,
    now,
  );
  return {
    workload: namespacedName(workload),
    identity,
    address,
    port: port.port,
    ...verdict(state, policy, port, request, decision),
    connection: connection(policy, serverIdentities),
    policies: policyVerdicts(judge, workload, identity, request),
    audit: decision.shadow.map(reasonText),
  };
}

/** First Envoy's RBAC, then the agent, if there is something that only the agent can decide. */
function verdict(
  { trustDomain }: MeshState,
  policy: EffectivePolicy,
  port: WorkloadPort,
  request: RequestAttributes,
  decision: Decision,
): Pick<Target, 'allowed' | 'reason' | 'decidedBy'> {
  const settings = { trustDomain, maxConnectionAgeMs: 0, denialReasons: 'shown' as const };
  const { principal, method, path } = request;
  const envoy = runMatcher(enforcedMatcher(policy, port, settings), { principal, method, path });
  if (envoy.denied) return { allowed: false, reason: envoy.action, decidedBy: 'envoy' };
  const decidedBy = agentDecides(policy.requirements, port) ? 'agent' : 'envoy';
  if (decision.allowed) return { allowed: true, reason: undefined, decidedBy };
  const reason = reasonText(decision.denial);
  if (decidedBy === 'envoy') throw new Error(`Envoy would allow what the agent's rules deny (${reason})`);
  return { allowed: false, reason, decidedBy };
}

function connection(policy: EffectivePolicy, serverIdentities: readonly string[]): Connection {
  return {
    encryption: 'mutual-tls',
    version: meshTls.version,
    group: meshTls.group,
    signature: meshTls.signature,
    serverIdentities,
    clientCertificate: acceptsAnonymous(policy) ? 'optional' : 'required',
    counterSignature: hybridPolicies(policy),
  };
}

/** Each policy that selects a workload by itself. */
export function policyVerdicts(
  judge: Judge,
  workload: Workload,
  identity: string,
  request: RequestAttributes,
): readonly PolicyVerdict[] {
  return policiesFor(judge.state, workload)
    .toSorted((a, b) => compareText(namespacedName(a), namespacedName(b)))
    .map((policy) => ({ ...settingsOf(policy), ...rulesVerdict(judge, policy, identity, request) }));
}

function settingsOf({ namespace, name, spec }: Policy) {
  return {
    policy: namespacedName({ namespace, name }),
    enforcement: enforcementOf({ spec }),
    postQuantumEncryption: spec.postQuantumEncryption,
    quantumAuthentication: spec.quantumAuthentication,
  };
}

type RulesVerdict = Pick<PolicyVerdict, 'allows' | 'rule' | 'reason' | 'cause' | 'rulesForCaller'>;

function rulesVerdict(
  { state, verifyToken, now }: Judge,
  { namespace, name, spec }: Policy,
  workload: string,
  request: RequestAttributes,
): RulesVerdict {
  const rules = spec.authorization;
  const nothing = { rule: undefined, reason: undefined, cause: undefined, rulesForCaller: [] };
  if (rules === undefined) return { allows: undefined, ...nothing };
  const alone: AuthorizationPolicy = {
    workload,
    requirements: [{ policy: namespacedName({ namespace, name }), rules }],
    shadowRequirements: [],
    hybridPolicies: [],
    quarantined: [...quarantineOf(state).keys()],
  };
  const compiled = compileAuthorization(alone);
  const decision = authorize(compiled, request, verifyToken, now);
  if (decision.allowed) return { ...nothing, allows: true, rule: decision.matched[0]?.rule };
  const { denial } = decision;
  const own = compiled.requirements.flatMap((requirement) => requirement.rulesFor(request.principal));
  return {
    allows: false,
    rule: denial.rule,
    reason: reasonText(denial),
    cause: denial.cause,
    rulesForCaller:
      denial.rule === undefined
        ? rulesAt(
            rules,
            own.map(({ index }) => index),
          )
        : [],
  };
}

function rulesAt(
  rules: readonly AuthorizationRule[],
  indexes: readonly number[],
): PolicyVerdict['rulesForCaller'] {
  return indexes
    .toSorted((a, b) => a - b)
    .flatMap((index) => {
      const rule = rules[index];
      if (rule === undefined) return [];
      const { from: _, ...rest } = rule;
      return [{ rule: index, ...rest }];
    });
}
