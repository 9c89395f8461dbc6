// What one workload enforces, as plain data.

import type { AuthorizationRequirement } from '../effective.ts';

export interface AuthorizationPolicy {
  /** SPIFFE ID of the workload that is called: the audience of tokens where a rule names none. */
  readonly workload: string;
  /** All must allow. In order of policy name. */
  readonly requirements: readonly AuthorizationRequirement[];
  /** The same of policies with `enforcement: warn` or `audit`: evaluated and recorded, never enforced. */
  readonly shadowRequirements: readonly AuthorizationRequirement[];
  /** `<namespace>/<name>` of the policies that demand the caller's counter-signature. */
  readonly hybridPolicies: readonly string[];
}
