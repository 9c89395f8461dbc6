// The effective policy of a workload: what all policies that select it allow together.

import {
  type KeyExchangeGroup,
  keyExchangeGroups,
  meshTls,
  type SignatureAlgorithm,
  signatureAlgorithms,
} from '../crypto/algorithms.ts';
import {
  type MeshState,
  type NamespacedName,
  namespacedName,
  type Policy,
  type Workload,
} from '../model/mesh.ts';
import { workloadSpiffeId } from '../model/spiffe.ts';
import { complianceProfiles } from './compliance.ts';
import { type Contributions, resolve } from './dimension.ts';
import { isEnforced } from './enforcement.ts';
import { policiesFor } from './selection.ts';

export type PostQuantumEncryption = 'disabled' | 'preferred' | 'required';
export type QuantumAuthentication = 'disabled' | 'optional' | 'enabled' | 'hybrid';

export type AuthorizationRule = NonNullable<Policy['spec']['authorization']>[number];

/** What one policy demands of every request: that one of its rules matches. No rule: nothing is allowed. */
export interface AuthorizationRequirement {
  readonly policy: NamespacedName;
  readonly rules: readonly AuthorizationRule[];
}

/** Why a workload is cut off although no rule denies it: its policies contradict each other or cannot be kept. */
export interface Conflict {
  readonly dimension: 'complianceLevel' | 'quarantine';
  readonly policies: readonly NamespacedName[];
  readonly reason: string;
}

export interface EffectivePolicy {
  readonly postQuantumEncryption: PostQuantumEncryption;
  readonly quantumAuthentication: QuantumAuthentication;
  /** The policies that make postQuantumEncryption what it is; empty when it is the built-in default. */
  readonly encryptionPolicies: readonly NamespacedName[];
  /** The same for quantumAuthentication. */
  readonly authenticationPolicies: readonly NamespacedName[];
  /** All of them must allow. */
  readonly requirements: readonly AuthorizationRequirement[];
  /** The same of policies with `enforcement: warn` or `audit`: evaluated and recorded, never enforced. */
  readonly shadowRequirements: readonly AuthorizationRequirement[];
  /** Hosts outside the mesh that every policy demanding encryption lets off. */
  readonly exemptHosts: readonly string[];
  /** SPIFFE IDs that no workload accepts any more, with the policy that says so. */
  readonly quarantine: ReadonlyMap<string, NamespacedName>;
  /** Not empty: the workload neither accepts nor makes calls. */
  readonly conflicts: readonly Conflict[];
}

/** From the most permissive to the strictest; a policy that asks for one allows everything at least as strict. */
const encryptionOrder: readonly PostQuantumEncryption[] = ['disabled', 'preferred', 'required'];
const authenticationOrder: readonly QuantumAuthentication[] = ['disabled', 'optional', 'enabled', 'hybrid'];

const keyExchangeGroupNames = Object.keys(keyExchangeGroups) as KeyExchangeGroup[];
const signatureAlgorithmNames = Object.keys(signatureAlgorithms) as SignatureAlgorithm[];

/** What holds where no policy speaks: the promise of the mesh, not its absence. */
const defaultEncryption: PostQuantumEncryption = 'required';
const defaultAuthentication: QuantumAuthentication = 'enabled';

/** Whether callers without a certificate are let through the handshake. */
export function acceptsAnonymous({ quantumAuthentication }: EffectivePolicy): boolean {
  return quantumAuthentication === 'optional' || quantumAuthentication === 'disabled';
}

/** The policies that demand the counter-signature of callers; empty where none does. */
export function hybridPolicies(policy: EffectivePolicy): readonly NamespacedName[] {
  return policy.quantumAuthentication === 'hybrid' ? policy.authenticationPolicies : [];
}

/** The effective policy of a workload under the policies of `state`. */
export function effectivePolicy(state: MeshState, workload: Workload): EffectivePolicy {
  const quarantine = quarantineOf(state);
  const policy = mergePolicies(policiesFor(state, workload), quarantine);
  const id = workloadSpiffeId(state.trustDomain, workload.namespace, workload.serviceAccount);
  const by = quarantine.get(id);
  if (by === undefined) return policy;
  const conflict: Conflict = { dimension: 'quarantine', policies: [by], reason: `${id} is in quarantine` };
  return { ...policy, conflicts: [conflict, ...policy.conflicts] };
}

/** SPIFFE IDs in quarantine: the union over the root namespace, whichever workloads its policies select. */
export function quarantineOf(state: MeshState): ReadonlyMap<string, NamespacedName> {
  const quarantine = new Map<string, NamespacedName>();
  for (const policy of state.policies.values()) {
    if (policy.namespace !== state.rootNamespace || !isEnforced(policy)) continue;
    for (const id of policy.spec.quarantine ?? []) quarantine.set(id, namespacedName(policy));
  }
  return quarantine;
}

/** Merges policies that select the same workload. The order of `policies` does not matter, nor does repetition. */
export function mergePolicies(
  policies: readonly Policy[],
  quarantine: ReadonlyMap<string, NamespacedName> = new Map(),
): EffectivePolicy {
  const unique = new Map(policies.map((policy) => [namespacedName(policy), policy]));
  const sorted = [...unique.keys()]
    .sort()
    .map((name) => unique.get(name))
    .filter((policy) => policy !== undefined);
  const enforced = sorted.filter(isEnforced);
  const conflicts: Conflict[] = [];
  const encryption = strictest(
    encryptionOrder,
    contributions(enforced, (policy) => policy.spec.postQuantumEncryption),
    defaultEncryption,
  );
  const authentication = strictest(
    authenticationOrder,
    contributions(enforced, (policy) => policy.spec.quantumAuthentication),
    defaultAuthentication,
  );
  conflicts.push(...complianceConflicts(enforced));
  return {
    postQuantumEncryption: encryption.value,
    quantumAuthentication: authentication.value,
    encryptionPolicies: encryption.policies,
    authenticationPolicies: authentication.policies,
    requirements: requirementsOf(enforced),
    shadowRequirements: requirementsOf(sorted.filter((policy) => !enforced.includes(policy))),
    exemptHosts: exemptHosts(enforced),
    quarantine,
    conflicts,
  };
}

function contributions<Value extends string>(
  policies: readonly Policy[],
  field: (policy: Policy) => Value | undefined,
): ReadonlyMap<NamespacedName, Value> {
  const result = new Map<NamespacedName, Value>();
  for (const policy of policies) {
    const value = field(policy);
    if (value !== undefined) result.set(namespacedName(policy), value);
  }
  return result;
}

/** On an ordered dimension every intersection has a least strict member, and that is what holds. */
function strictest<Value extends string>(
  order: readonly Value[],
  asked: ReadonlyMap<NamespacedName, Value>,
  otherwise: Value,
): { readonly value: Value; readonly policies: readonly NamespacedName[] } {
  const rank = Math.max(-1, ...[...asked.values()].map((value) => order.indexOf(value)));
  const value = order[rank];
  if (value === undefined) return { value: otherwise, policies: [] };
  return { value, policies: [...asked].filter(([, own]) => own === value).map(([name]) => name) };
}

function complianceConflicts(policies: readonly Policy[]): readonly Conflict[] {
  const groups = new Map<NamespacedName, readonly KeyExchangeGroup[]>();
  const signatures = new Map<NamespacedName, readonly SignatureAlgorithm[]>();
  const conflicts: Conflict[] = [];
  for (const [name, level] of contributions(policies, (policy) => policy.spec.complianceLevel)) {
    const profile = complianceProfiles[level];
    groups.set(name, profile.keyExchangeGroups);
    signatures.set(name, profile.signatureAlgorithms);
    if (profile.notEnforceable !== undefined) {
      conflicts.push({
        dimension: 'complianceLevel',
        policies: [name],
        reason: `${level} cannot be kept: ${profile.notEnforceable}`,
      });
    }
  }
  return [
    ...conflicts,
    ...dimensionConflicts('key exchange', keyExchangeGroupNames, meshTls.group, groups),
    ...dimensionConflicts('handshake signature', signatureAlgorithmNames, meshTls.signature, signatures),
  ];
}

/** The mesh speaks one group and one signature algorithm: policies may disagree among themselves, or with it. */
function dimensionConflicts<Value extends string>(
  what: string,
  universe: readonly Value[],
  spoken: Value,
  allowed: Contributions<Value>,
): readonly Conflict[] {
  const resolution = resolve(universe, allowed);
  if (resolution.kind === 'conflict') {
    const reason = `${resolution.policies.join(' and ')} have no ${what} in common`;
    return [{ dimension: 'complianceLevel', policies: resolution.policies, reason }];
  }
  if (resolution.values.includes(spoken)) return [];
  const policies = [...allowed].filter(([, values]) => !values.includes(spoken)).map(([name]) => name);
  const reason = `the ${what} of the mesh, ${spoken}, is not among what ${policies.join(' and ')} allows`;
  return [{ dimension: 'complianceLevel', policies, reason }];
}

function requirementsOf(policies: readonly Policy[]): readonly AuthorizationRequirement[] {
  return policies.flatMap((policy) => {
    const rules = policy.spec.authorization;
    return rules === undefined ? [] : [{ policy: namespacedName(policy), rules }];
  });
}

/** A host is let off only when every policy that demands encryption lets it off. */
function exemptHosts(policies: readonly Policy[]): readonly string[] {
  const demanding = policies.filter((policy) => policy.spec.postQuantumEncryption === 'required');
  const [first, ...others] = demanding.map(
    (policy) => new Set((policy.spec.exceptions ?? []).map((exception) => exception.host)),
  );
  if (first === undefined) return [];
  return [...first].filter((host) => others.every((hosts) => hosts.has(host))).sort();
}
