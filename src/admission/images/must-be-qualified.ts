// Where a name that leaves the registry to the runtime is not good enough: rules about images are rules about registries, too.

import type { Policy } from '../../model/mesh.ts';
import { isEnforced } from '../../policy/enforcement.ts';

/** The policies that enforce rules about images. None: names may say what they like. */
export function namingPolicies(policies: readonly Policy[]): readonly Policy[] {
  return policies.filter((policy) => policy.spec.images !== undefined && isEnforced(policy));
}
