// What the policies of a namespace come to together, told for people and for `--json`: names and shapes stay as they are.

import { type NamespacedName, namespacedName, type Policy } from '../../model/mesh.ts';
import { compareText } from '../../model/problem.ts';
import { type LabelSelector, selectorMatches } from '../../model/selector.ts';
import type { ComplianceLevel } from '../../policy/compliance.ts';
import {
  mergePolicies,
  type PostQuantumEncryption,
  type QuantumAuthentication,
} from '../../policy/effective.ts';
import { type Enforcement, enforcementOf, isEnforced } from '../../policy/enforcement.ts';
import { policiesForNamespace } from '../../policy/selection.ts';
import { levelsOn } from '../images/policies/compliance-levels.ts';
import { type ExplainedImageRule, explainImageRules } from './image-rules.ts';

/** A value and who asked for it; nobody: the mesh's own default. */
interface Attributed<Value> {
  readonly value: Value;
  readonly policies: readonly NamespacedName[];
}

export interface NamespacePolicy {
  readonly namespace: string;
  readonly policies: readonly {
    readonly name: NamespacedName;
    readonly enforcement: Enforcement;
    /** The root namespace's hold for the whole mesh. */
    readonly scope: 'mesh' | 'namespace';
    /** Undefined: every pod. */
    readonly selector: LabelSelector | undefined;
    /** Whether it is among those that the rest of this speaks about. */
    readonly counts: boolean;
  }[];
  readonly postQuantumEncryption: Attributed<PostQuantumEncryption>;
  readonly quantumAuthentication: Attributed<QuantumAuthentication>;
  readonly complianceLevels: readonly Attributed<ComplianceLevel>[];
  /** Why no pod can be in the mesh here. */
  readonly conflicts: readonly { readonly policies: readonly NamespacedName[]; readonly reason: string }[];
  /** All policies that speak about images must allow one; of each policy the first rule that matches decides. */
  readonly images: readonly {
    readonly policy: NamespacedName;
    readonly enforcement: Enforcement;
    readonly rules: readonly ExplainedImageRule[];
  }[];
  /** Of all policies together, whatever their enforcement. */
  readonly revoked: { readonly digests: readonly string[]; readonly keys: readonly string[] };
}

/**
 * @param policies of the whole mesh
 * @param hasEntry whether an entry of a ConfigMap is at hand
 * @param labels of the pod it is about; undefined: of no pod in particular, so that policies with a selector do not count
 */
export function explainNamespace(
  policies: ReadonlyMap<NamespacedName, Policy>,
  { namespace, rootNamespace }: { readonly namespace: string; readonly rootNamespace: string },
  labels: Readonly<Record<string, string>> | undefined,
  {
    now,
    hasEntry,
  }: { readonly now: Date; readonly hasEntry: (namespace: string, name: string, key: string) => boolean },
): NamespacePolicy {
  const holding = policiesForNamespace(policies.values(), rootNamespace, namespace).toSorted((a, b) =>
    compareText(namespacedName(a), namespacedName(b)),
  );
  const counts = ({ spec: { selector } }: Policy): boolean =>
    labels === undefined ? selector === undefined : selectorMatches(selector, labels);
  const counting = holding.filter(counts);
  const merged = mergePolicies(counting);
  const revokedKeys = union(holding, (policy) => policy.spec.revoked?.keys);
  const levels = levelsOn(holding);
  return {
    namespace,
    policies: holding.map((policy) => ({
      name: namespacedName(policy),
      enforcement: enforcementOf(policy),
      scope: policy.namespace === rootNamespace ? 'mesh' : 'namespace',
      selector: policy.spec.selector,
      counts: counts(policy),
    })),
    postQuantumEncryption: { value: merged.postQuantumEncryption, policies: merged.encryptionPolicies },
    quantumAuthentication: { value: merged.quantumAuthentication, policies: merged.authenticationPolicies },
    complianceLevels: complianceLevels(counting),
    conflicts: merged.conflicts.map(({ policies: by, reason }) => ({ policies: by, reason })),
    images: holding.flatMap((policy) => {
      const { images } = policy.spec;
      const enforcement = enforcementOf(policy);
      if (images === undefined) return [];
      const trial = {
        ...{ now, revokedKeys: new Set(revokedKeys), levels: levels.get(policy) ?? [] },
        hasEntry: (name: string, key: string) => hasEntry(policy.namespace, name, key),
      };
      return [{ policy: namespacedName(policy), enforcement, rules: explainImageRules(images, trial) }];
    }),
    revoked: {
      digests: union(holding, (policy) => policy.spec.revoked?.digests),
      keys: revokedKeys,
    },
  };
}

function complianceLevels(policies: readonly Policy[]): readonly Attributed<ComplianceLevel>[] {
  const levels = new Map<ComplianceLevel, NamespacedName[]>();
  for (const policy of policies) {
    const level = policy.spec.complianceLevel;
    if (level === undefined || !isEnforced(policy)) continue;
    levels.set(level, [...(levels.get(level) ?? []), namespacedName(policy)]);
  }
  return [...levels].map(([value, by]) => ({ value, policies: by }));
}

function union(
  policies: readonly Policy[],
  list: (policy: Policy) => readonly string[] | undefined,
): readonly string[] {
  return [...new Set(policies.flatMap((policy) => list(policy) ?? []))].sort();
}
