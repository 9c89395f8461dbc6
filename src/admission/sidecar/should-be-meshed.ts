// Which pods get a sidecar, and are refused without one.

import type { Policy } from '../../model/mesh.ts';
import { selectorMatches } from '../../model/selector.ts';
import { type EffectivePolicy, mergePolicies } from '../../policy/effective.ts';

/**
 * Where no policy that is enforced speaks of encryption nothing is injected: what the mesh promises by default it promises to
 * those who are in it, and namespaces come into it by a policy.
 *
 * @param policies all that hold for the namespace; see policiesForNamespace
 */
export function shouldBeMeshed(
  policies: readonly Policy[],
  labels: Readonly<Record<string, string>>,
): boolean {
  const selecting = policies.filter(({ spec }) => selectorMatches(spec.selector, labels));
  return isMeshed(mergePolicies(selecting));
}

/** The same, of policies that select the pod. */
export function isMeshed({
  encryptionPolicies,
  postQuantumEncryption,
}: Pick<EffectivePolicy, 'encryptionPolicies' | 'postQuantumEncryption'>): boolean {
  return encryptionPolicies.length > 0 && postQuantumEncryption !== 'disabled';
}
