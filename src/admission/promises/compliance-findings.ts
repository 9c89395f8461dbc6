// Compliance profiles that the data plane cannot keep, or that contradict each other. A pod under them would be cut off from every
// call: better that it is refused with the reason.

import { meshTls } from '../../crypto/algorithms.ts';
import { type NamespacedName, namespacedName, type Policy } from '../../model/mesh.ts';
import { complianceProfiles } from '../../policy/compliance.ts';
import { type Conflict, mergePolicies } from '../../policy/effective.ts';
import { type Enforcement, enforcementOf, isEnforced } from '../../policy/enforcement.ts';
import type { Finding } from '../decision.ts';
import { isMeshed } from '../sidecar/should-be-meshed.ts';

/** @param policies that select the pod */
export function complianceFindings(policies: readonly Policy[]): readonly Finding[] {
  const byName = new Map(policies.map((policy) => [namespacedName(policy), policy]));
  const toFinding = (conflict: Conflict, enforcement: Enforcement) => finding(conflict, enforcement, byName);
  const enforced = policies.filter(isEnforced);
  const conflicts = conflictsOf(enforced);
  const known = new Set(conflicts.map(({ reason }) => reason));
  // What would come of each policy that is only tried out, if it were enforced.
  const tried = policies.flatMap((policy) => {
    const enforcement = enforcementOf(policy);
    if (enforcement === 'enforce') return [];
    const trial = [...enforced, { ...policy, spec: { ...policy.spec, enforcement: 'enforce' as const } }];
    return conflictsOf(trial)
      .filter(({ reason }) => !known.has(reason))
      .map((conflict) => toFinding(conflict, enforcement));
  });
  return [...conflicts.map((conflict) => toFinding(conflict, 'enforce')), ...tried];
}

/** Of pods outside the mesh nothing is promised. */
function conflictsOf(policies: readonly Policy[]): readonly Conflict[] {
  const effective = mergePolicies(policies);
  return isMeshed(effective) ? effective.conflicts : [];
}

function finding(
  { policies, reason }: Conflict,
  enforcement: Enforcement,
  byName: ReadonlyMap<NamespacedName, Policy>,
): Finding {
  const cannotBeKept = policies.every((name) => !isKeepable(byName.get(name)));
  return {
    code: cannotBeKept ? 'compliance-not-enforceable' : 'policy-conflict',
    enforcement,
    policy: policies.length === 1 ? policies[0] : undefined,
    field: undefined,
    message:
      `the complianceLevel of QuantumSecurityPolicy ${policies.join(' and ')} would cut the pod off from every call: ${reason};` +
      ' choose a level that the mesh keeps',
  };
}

/** Whether the mesh speaks what the level of one policy allows. */
function isKeepable(policy: Policy | undefined): boolean {
  const profile = complianceProfiles[policy?.spec.complianceLevel ?? 'none'];
  return (
    profile.notEnforceable === undefined &&
    profile.keyExchangeGroups.includes(meshTls.group) &&
    profile.signatureAlgorithms.includes(meshTls.signature)
  );
}
