// Which policies select a workload.

import { type MeshState, namespacedName, type Policy, type Workload } from '../model/mesh.ts';
import { compareText } from '../model/problem.ts';
import { selectorMatches } from '../model/selector.ts';

/**
 * The policies that hold for a workload: all of the root namespace and of its own, less those whose selector does not
 * match its labels. Sorted by name, so that every outcome is independent of the order they were read in.
 */
export function policiesFor(state: MeshState, workload: Workload): readonly Policy[] {
  return [...state.policies.values()]
    .filter(
      (policy) =>
        (policy.namespace === state.rootNamespace || policy.namespace === workload.namespace) &&
        selectorMatches(policy.spec.selector, workload.labels),
    )
    .sort((a, b) => compareText(namespacedName(a), namespacedName(b)));
}
