// What a command line demands of images, in the form of what policies demand of them.

import type { CompiledImagePolicies, Requirement } from '../../admission/images/policies/requirement.ts';
import type { VerificationPolicy } from '../../signing/verify/policy.ts';

/** The same requirement on every image. */
export function fixedRequirement(policy: VerificationPolicy): CompiledImagePolicies {
  const requirement: Requirement = {
    ...{ name: 'the command line', policy: undefined, enforcement: 'enforce' },
    ...{ kind: 'verify', verificationPolicy: () => Promise.resolve(policy), leftOut: [] },
  };
  return { requirementsOn: () => [requirement], revokedDigests: new Set() };
}
