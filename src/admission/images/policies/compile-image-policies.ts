// QuantumSecurityPolicies, made ready once for all images that they will judge: globs and conditions compiled, keys fetched
// when an image first needs them, keysets left out that no compliance profile gives credit for.

import { namespacedName, type Policy } from '../../../model/mesh.ts';
import {
  authorityCompliance,
  type ComplianceDemand,
  type ImageAuthority,
} from '../../../policy/images/compliance.ts';
import {
  compileImageRequirements,
  type ImageRequirement,
  type ImageRequirements,
  type ImageRule,
} from '../../../policy/images/image-requirements.ts';
import { SigningError } from '../../../signing/errors.ts';
import type { VerificationPolicy } from '../../../signing/verify/policy.ts';
import { resolveOnce } from '../../sharing/resolve-once.ts';
import { attestationRequirement } from './attestation-requirement.ts';
import { type KeySources, resolveAuthorities } from './authorities.ts';
import { custodyOf, levelsOn } from './compliance-levels.ts';
import type { CompiledImagePolicies, Requirement } from './requirement.ts';
import { createTrustPool, type TrustPool } from './trust-pool.ts';

/**
 * Keys are kept as long as the result is: compile anew when a policy, or a key in a key management service, changes.
 * @param policies those that hold for the namespace; see policiesForNamespace. All must allow. A level or a revocation of one with
 *   a selector counts for every image: labels are chosen by whoever makes a pod
 * @param pool of one process that remembers examinations; see there
 */
export function compileImagePolicies(
  policies: readonly Policy[],
  sources: KeySources,
  pool: TrustPool = createTrustPool(),
): CompiledImagePolicies {
  const requirements = compileImageRequirements(policies);
  const levels = levelsOn(policies);
  const compiled = new Map<ImageRequirement, Requirement>();
  const compile = (requirement: ImageRequirement): Requirement => {
    const known =
      compiled.get(requirement) ?? compileRequirement(requirement, { requirements, levels, sources, pool });
    compiled.set(requirement, known);
    return known;
  };
  return {
    requirementsOn: (repository) => requirements.of(repository).map(compile),
    revokedDigests: requirements.revokedDigests,
  };
}

/** What the rules of one policy demand, each by itself, whatever others hold beside it. */
export function requirementsByRule(
  policy: Policy,
  sources: KeySources,
  pool: TrustPool,
): readonly Requirement[] {
  const surroundings = {
    ...{ requirements: compileImageRequirements([policy]), levels: levelsOn([policy]), sources, pool },
  };
  return surroundings.requirements.all.map((each) => compileRequirement(each, surroundings));
}

interface Surroundings {
  readonly requirements: ImageRequirements;
  readonly levels: ReturnType<typeof levelsOn>;
  readonly sources: KeySources;
  readonly pool: TrustPool;
}

function compileRequirement(requirement: ImageRequirement, surroundings: Surroundings): Requirement {
  const { policy, enforcement, ruleIndex, outcome } = requirement;
  const policyName = `QuantumSecurityPolicy ${namespacedName(policy)}`;
  if (policy.unusable !== undefined) {
    const error = new SigningError('ERR_VERIFICATION_POLICY_INVALID', policy.unusable);
    return { ...{ name: policyName, policy, enforcement }, kind: 'unusable', error };
  }
  const rule = ruleIndex === undefined ? '' : `, rule ${ruleIndex + 1}`;
  const common = { name: `${policyName}${rule}`, policy, enforcement };
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

function verificationPolicy(
  { namespace }: Policy,
  { authorities = [], bindReference = 'repository', attestations = [] }: ImageRule,
  { requirements: { revokedDigests, revokedKeys }, sources, pool }: Surroundings,
): (signal: AbortSignal) => Promise<VerificationPolicy> {
  return resolveOnce(async (signal) => ({
    // Before anything is looked up: what is wrong with a condition, no lookup has to succeed for.
    attestations: attestations.map(({ predicateType, condition }) =>
      attestationRequirement(predicateType, condition),
    ),
    authorities: await resolveAuthorities(authorities, { sources, namespace, pool, signal }),
    bindReference,
    revokedDigests,
    revokedKeys,
  }));
}
