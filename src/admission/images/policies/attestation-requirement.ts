// An attestation that is demanded, with its condition compiled.

import { compileAttestationCondition } from '../../../policy/images/attestation-condition.ts';
import type { AttestationRequirement } from '../../../signing/verify/policy.ts';

/** @throws PolicyError that says what is wrong with the condition */
export function attestationRequirement(
  predicateType: string,
  condition: string | undefined,
): AttestationRequirement {
  if (condition === undefined) return { predicateType, condition: undefined };
  const { text, holds } = compileAttestationCondition(condition);
  return {
    predicateType,
    condition: {
      text,
      holds: ({ subject, ...statement }) => {
        const [algorithm = '', hex = ''] = subject.split(':');
        return holds({ ...statement, subject: { digest: { [algorithm]: hex } } });
      },
    },
  };
}
