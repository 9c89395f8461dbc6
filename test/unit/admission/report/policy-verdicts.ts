// Policies as they came off, and what their status says.

import type { Usability } from '../../../../src/admission/images/policies/usability.ts';
import type { PolicyVerdict } from '../../../../src/sources/kubernetes/mesh/policy-verdicts.ts';

export const now = new Date('2026-11-21T12:00:00.123Z');
export const earlier = '2026-11-20T00:00:00Z';

export function verdict(changes: Partial<PolicyVerdict> = {}): PolicyVerdict {
  return {
    ...{ namespace: 'trading', name: 'a', uid: 'uid-a', resourceVersion: '7', generation: 3 },
    ...{ status: undefined, inForce: true, problems: [] },
    policy: { namespace: 'trading', name: 'a', spec: {} },
    ...changes,
  };
}

export const usable: Usability = { kind: 'usable', hasKmsKeys: false };

export const good = {
  ...{ type: 'Ready', status: 'True', reason: 'InForce', message: 'it is in force as it is written' },
  ...{ observedGeneration: 3, lastTransitionTime: earlier },
};
export const said = { observedGeneration: 3, conditions: [good] };

interface Condition {
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

export function conditionsOf(status: unknown): readonly Condition[] {
  return (status as { conditions: readonly Condition[] }).conditions;
}
