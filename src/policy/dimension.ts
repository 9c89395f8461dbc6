// One dimension of a policy: a field whose values are ordered or not, and what each policy allows in it.
// Policies merge by intersecting what they allow, so that no policy can loosen another. Kept as the map from policy
// to allowed values, merging is a set union: commutative, associative and idempotent by construction.

import type { NamespacedName } from '../model/mesh.ts';

/** What every policy that speaks about a dimension allows in it. */
export type Contributions<Value extends string> = ReadonlyMap<NamespacedName, readonly Value[]>;

export type Resolution<Value extends string> =
  | { readonly kind: 'allowed'; readonly values: readonly Value[] }
  | { readonly kind: 'conflict'; readonly policies: readonly NamespacedName[] };

/**
 * Intersects the contributions.
 * @param universe every value there is, the most permissive first; the result keeps this order.
 * @returns the values all policies allow, or, when there are none, the policies that disagree.
 */
export function resolve<Value extends string>(
  universe: readonly Value[],
  contributions: Contributions<Value>,
): Resolution<Value> {
  const values = universe.filter((value) =>
    [...contributions.values()].every((allowed) => allowed.includes(value)),
  );
  if (values.length > 0) return { kind: 'allowed', values };
  return { kind: 'conflict', policies: [...contributions.keys()].sort() };
}
