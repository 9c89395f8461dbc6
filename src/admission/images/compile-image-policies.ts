// QuantumSecurityPolicies, made ready once for all images that they will judge: globs and conditions compiled, keys fetched
// when an image first needs them, keysets left out that no compliance profile gives credit for.

import { namespacedName, type Policy } from '../../model/mesh.ts';
import {
  authorityCompliance,
  type ComplianceDemand,
  complianceDemands,
  type ImageAuthority,
  type ImageKey,
  type KeyCustody,
} from '../../policy/images/compliance.ts';
import {
  compileImageRequirements,
  type ImageRequirement,
  type ImageRequirements,
  type ImageRule,
} from '../../policy/images/image-requirements.ts';
import type { VerificationPolicy } from '../../signing/verify/policy.ts';
import { attestationRequirement } from './attestation-requirement.ts';
import { type KeySources, resolveAuthorities } from './authorities.ts';
import type { CompiledImagePolicies, Requirement } from './requirement.ts';
import { resolveOnce } from './resolve-once.ts';

/**
 * Keys are kept as long as the result is: compile anew when a policy, or a key in a key management service, changes.
 * @param policies those that hold for the namespace; see policiesForNamespace. All must allow. A level or a revocation of one with
 *   a selector counts for every image: labels are chosen by whoever makes a pod
 */
export function compileImagePolicies(
  policies: readonly Policy[],
  sources: KeySources,
): CompiledImagePolicies {
  const requirements = compileImageRequirements(policies);
  const levels = enforcedLevels(policies);
  const compiled = new Map<ImageRequirement, Requirement>();
  const compile = (requirement: ImageRequirement): Requirement => {
    const known =
      compiled.get(requirement) ?? compileRequirement(requirement, { requirements, levels, sources });
    compiled.set(requirement, known);
    return known;
  };
  return {
    requirementsOn: (repository) => requirements.of(repository).map(compile),
    revokedDigests: requirements.revokedDigests,
  };
}

/** By policy. What only warns or audits must not deny in the name of another policy. */
type Levels = ReadonlyMap<Policy, readonly ComplianceDemand[]>;

function enforcedLevels(policies: readonly Policy[]): Levels {
  const enforced = policies.filter(({ spec }) => (spec.enforcement ?? 'enforce') === 'enforce');
  return new Map(
    policies.map((policy) => [policy, complianceDemands([...new Set([policy, ...enforced])])] as const),
  );
}

interface Surroundings {
  readonly requirements: ImageRequirements;
  readonly levels: Levels;
  readonly sources: KeySources;
}

function compileRequirement(requirement: ImageRequirement, surroundings: Surroundings): Requirement {
  const { policy, enforcement, ruleIndex, outcome } = requirement;
  const rule = ruleIndex === undefined ? '' : `, rule ${ruleIndex + 1}`;
  const common = { name: `QuantumSecurityPolicy ${namespacedName(policy)}${rule}`, policy, enforcement };
  if (outcome.kind === 'allow') return { ...common, kind: 'allow' };
  if (outcome.kind === 'deny') return { ...common, kind: 'deny', reasons: [denial(outcome.why)] };

  const judged = (outcome.rule.authorities ?? []).map((authority) =>
    compliant(authority, surroundings.levels.get(policy) ?? []),
  );
  const refusals = judged.flatMap(({ refusal }) => refusal ?? []);
  if (refusals.length > 0) return { ...common, kind: 'deny', reasons: refusals };
  const authorities = judged.map(({ authority }) => authority);
  return {
    ...common,
    kind: 'verify',
    verificationPolicy: verificationPolicy(policy, { ...outcome.rule, authorities }, surroundings),
    leftOut: judged.flatMap(({ leftOut }) => leftOut),
  };
}

function denial(why: 'rule' | 'no-rule'): string {
  return why === 'rule'
    ? 'the rule that matches the image denies it'
    : 'no rule of the policy matches the image';
}

interface CompliantAuthority {
  /** With the keysets that may count. */
  readonly authority: ImageAuthority;
  readonly leftOut: readonly string[];
  /** Undefined: enough keysets are left. */
  readonly refusal: string | undefined;
}

function compliant(authority: ImageAuthority, levels: readonly ComplianceDemand[]): CompliantAuthority {
  const { keysets, refusal } = authorityCompliance(authority, levels, custodyOf);
  const counts = ({ name }: { readonly name: string }) => keysets.get(name) === undefined;
  return {
    authority: {
      ...authority,
      ...(authority.keysets && { keysets: authority.keysets.filter(counts) }),
    },
    leftOut: [...keysets.values()].flatMap((shortfall) => shortfall?.reason ?? []),
    refusal,
  };
}

/** Whether a key management service keeps its keys in hardware, nobody has asked it. */
function custodyOf({ kms }: ImageKey): KeyCustody {
  return kms === undefined ? 'unknown' : 'kms';
}

function verificationPolicy(
  { namespace }: Policy,
  { authorities = [], bindReference = 'repository', attestations = [] }: ImageRule,
  { requirements: { revokedDigests, revokedKeys }, sources }: Surroundings,
): (signal: AbortSignal) => Promise<VerificationPolicy> {
  return resolveOnce(async (signal) => ({
    authorities: await resolveAuthorities(authorities, { sources, namespace, signal }),
    bindReference,
    attestations: attestations.map(({ predicateType, condition }) =>
      attestationRequirement(predicateType, condition),
    ),
    revokedDigests,
    revokedKeys,
  }));
}
