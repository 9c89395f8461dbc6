// The demands of the policies of a file.

import { namespacedName, type Policy } from '../../model/mesh.ts';
import { type ImageRequirement, imageRequirements } from '../../policy/images/image-requirements.ts';
import { type KeySources, resolveAuthorities } from '../../signing/authorities.ts';
import type { Authority } from '../../signing/verify/policy.ts';
import { attestationRequirement } from './attestation-requirement.ts';
import type { Demand, Demands } from './demands.ts';
import type { PolicyFile } from './policy-file.ts';

export interface PolicyDemandOptions {
  readonly kms: KeySources['kms'];
  readonly signal?: AbortSignal | undefined;
}

/** What the policies of the file say. Keys are fetched once for each rule. */
export function policyDemands(file: PolicyFile, { kms, signal }: PolicyDemandOptions): Demands {
  const policies = new Map(file.policies.map((policy) => [namespacedName(policy), policy]));
  const resolved = new Map<object, Promise<readonly Authority[]>>();
  const authoritiesOf = (rule: ImageRule, { namespace }: Policy) => {
    const sources: KeySources = {
      kms,
      configMap: (name, key) => Promise.resolve(file.configMap(namespace, name, key)),
    };
    const known = resolved.get(rule) ?? resolveAuthorities(rule.authorities ?? [], sources, signal);
    resolved.set(rule, known);
    return known;
  };
  return async (repository) => {
    const { requirements, revokedDigests, revokedKeys } = imageRequirements(file.policies, repository);
    return await Promise.all(
      requirements.map(async ({ policy: name, enforcement, ruleIndex, outcome }): Promise<Demand> => {
        const rule = ruleIndex === undefined ? '' : `, rule ${ruleIndex + 1}`;
        const common = { name: `QuantumSecurityPolicy ${name}${rule}`, enforcement };
        if (outcome.kind === 'allow') return { ...common, kind: 'allow', revokedDigests };
        if (outcome.kind === 'deny') return { ...common, kind: 'deny', reason: denial(outcome.why) };
        const policy = policies.get(name);
        const authorities = policy === undefined ? [] : await authoritiesOf(outcome.rule, policy);
        return {
          ...common,
          kind: 'verify',
          policy: {
            authorities,
            bindReference: outcome.rule.bindReference ?? 'repository',
            attestations: (outcome.rule.attestations ?? []).map(({ predicateType, condition }) =>
              attestationRequirement(predicateType, condition),
            ),
            revokedDigests,
            revokedKeys,
          },
        };
      }),
    );
  };
}

type ImageRule = Extract<ImageRequirement['outcome'], { kind: 'verify' }>['rule'];

function denial(why: 'rule' | 'no-rule'): string {
  return why === 'rule'
    ? 'the rule that matches the image denies it'
    : 'no rule of the policy matches the image';
}
