// What becomes of what a policy does not allow.

import type { Policy } from '../model/mesh.ts';

/** The strictest first. */
export const enforcements = ['enforce', 'warn', 'audit'] as const;

/** Denied; allowed with a warning; allowed and recorded. */
export type Enforcement = (typeof enforcements)[number];

/** As the schema has it for a policy that says nothing. */
export function enforcementOf({ spec }: Pick<Policy, 'spec'>): Enforcement {
  return spec.enforcement ?? 'enforce';
}

export function isEnforced(policy: Pick<Policy, 'spec'>): boolean {
  return enforcementOf(policy) === 'enforce';
}
