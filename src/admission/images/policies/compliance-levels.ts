// Which compliance levels the keysets of a policy must keep.

import type { Policy } from '../../../model/mesh.ts';
import { isEnforced } from '../../../policy/enforcement.ts';
import {
  type ComplianceDemand,
  complianceDemands,
  type ImageKey,
  type KeyCustody,
} from '../../../policy/images/compliance.ts';

/**
 * By policy, those of its own and of all that are enforced: what only warns or audits must not deny in the name of another policy.
 * @param policies all that hold for the namespace
 */
export function levelsOn(policies: readonly Policy[]): ReadonlyMap<Policy, readonly ComplianceDemand[]> {
  const enforced = policies.filter(isEnforced);
  return new Map(
    policies.map((policy) => [policy, complianceDemands([...new Set([policy, ...enforced])])] as const),
  );
}

/** Whether a key management service keeps its keys in hardware, nobody has asked it. */
export function custodyOf({ kms }: ImageKey): KeyCustody {
  return kms === undefined ? 'unknown' : 'kms';
}
