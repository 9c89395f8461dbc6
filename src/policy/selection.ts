// Which policies select a workload.

import type { MeshState, Policy, Workload } from '../model/mesh.ts';
import { selectorMatches } from '../model/selector.ts';

/**
 * The policies that hold for a workload: all of the root namespace and of its own, less those whose selector does not
 * match its labels. In no order: merging brings its own.
 */
export function policiesFor(state: MeshState, workload: Workload): readonly Policy[] {
  return [...state.policies.values()].filter(
    (policy) =>
      (policy.namespace === state.rootNamespace || policy.namespace === workload.namespace) &&
      selectorMatches(policy.spec.selector, workload.labels),
  );
}
