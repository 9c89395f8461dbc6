// Which policies select a workload, and which hold for a namespace.

import type { MeshState, Policy, Workload } from '../model/mesh.ts';
import { selectorMatches } from '../model/selector.ts';

/**
 * The policies that hold for a workload: all of the root namespace and of its own, less those whose selector does not
 * match its labels. In no order: merging brings its own.
 */
export function policiesFor(state: MeshState, workload: Workload): readonly Policy[] {
  return policiesForNamespace(state.policies.values(), state.rootNamespace, workload.namespace).filter(
    (policy) => selectorMatches(policy.spec.selector, workload.labels),
  );
}

/**
 * The policies that decide about the images of a namespace: all of the root namespace and of its own. A policy with `images` has no
 * selector; one with a selector can still revoke, and that is no affair of labels, which whoever makes a pod chooses.
 */
export function policiesForNamespace(
  policies: Iterable<Policy>,
  rootNamespace: string,
  namespace: string,
): readonly Policy[] {
  return [...policies].filter(
    (policy) => policy.namespace === rootNamespace || policy.namespace === namespace,
  );
}
