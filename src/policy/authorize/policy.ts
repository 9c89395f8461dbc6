// What one workload enforces, as plain data.

import { type AuthorizationRequirement, type EffectivePolicy, hybridPolicies } from '../effective.ts';

export interface AuthorizationPolicy {
  /** SPIFFE ID of the workload that is called: the audience of tokens where a rule names none. */
  readonly workload: string;
  /** All must allow. In order of policy name. */
  readonly requirements: readonly AuthorizationRequirement[];
  /** The same of policies with `enforcement: warn` or `audit`: evaluated and recorded, never enforced. */
  readonly shadowRequirements: readonly AuthorizationRequirement[];
  /** `<namespace>/<name>` of the policies that demand the caller's counter-signature. */
  readonly hybridPolicies: readonly string[];
  /** SPIFFE IDs whose tokens are refused. Sorted. */
  readonly quarantined: readonly string[];
}

/**
 * What a workload enforces of its effective policy beside encryption.
 * @param workload its SPIFFE ID
 */
export function authorizationPolicy(effective: EffectivePolicy, workload: string): AuthorizationPolicy {
  const { requirements, shadowRequirements, quarantine } = effective;
  return {
    workload,
    requirements,
    shadowRequirements,
    hybridPolicies: hybridPolicies(effective),
    quarantined: [...quarantine.keys()].sort(),
  };
}
