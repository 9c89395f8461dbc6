// Which policies speak about an image, and what each of them demands.

import { type NamespacedName, namespacedName, type Policy } from '../../model/mesh.ts';
import { compareText } from '../../model/problem.ts';
import { compileImageGlobs } from './image-glob.ts';

export type ImageRule = NonNullable<Policy['spec']['images']>[number];

export type ImageOutcome =
  /** The authorities of the rule must be satisfied, and its attestations be there. */
  | { readonly kind: 'verify'; readonly rule: ImageRule }
  /** No signature is asked for. */
  | { readonly kind: 'allow' }
  /** By the rule that matches, or because none does. */
  | { readonly kind: 'deny'; readonly why: 'rule' | 'no-rule' };

/** What one policy demands of an image. */
export interface ImageRequirement {
  readonly policy: NamespacedName;
  readonly enforcement: 'enforce' | 'warn' | 'audit';
  /** In `spec.images`, of the rule that decides; undefined when none matches. */
  readonly ruleIndex: number | undefined;
  readonly outcome: ImageOutcome;
}

export interface ImageRequirements {
  /**
   * All must be satisfied; those of policies that only warn or audit decide nothing. Sorted by policy. Empty: no policy has anything
   * to say about images.
   */
  readonly requirements: readonly ImageRequirement[];
  /** Such as `sha256:…`; never accepted, whatever the requirements allow. */
  readonly revokedDigests: ReadonlySet<string>;
  /** SHA-256 of SubjectPublicKeyInfo, in hex; signatures of these keys do not count. */
  readonly revokedKeys: ReadonlySet<string>;
}

/**
 * What the policies of a namespace demand of an image. Their order does not matter, nor does repetition; a policy more can only
 * add to what is demanded and revoked.
 *
 * A revocation holds whatever the `enforcement` of its policy: it says that something is known to be bad, which is no rule to be
 * tried out, and setting a policy to `audit` for an hour must not bring a stolen key back.
 * @param policies those that hold for the namespace; see policiesForNamespace
 * @param repository `registry/repository`, normalised: `docker.io/library/nginx`
 */
export function imageRequirements(policies: readonly Policy[], repository: string): ImageRequirements {
  const sorted = [...new Map(policies.map((policy) => [namespacedName(policy), policy]))]
    .sort(([a], [b]) => compareText(a, b))
    .map(([, policy]) => policy);
  return {
    requirements: sorted.flatMap((policy) => requirementOf(policy, repository) ?? []),
    revokedDigests: new Set(sorted.flatMap(({ spec }) => spec.revoked?.digests ?? [])),
    revokedKeys: new Set(sorted.flatMap(({ spec }) => spec.revoked?.keys ?? [])),
  };
}

function requirementOf(policy: Policy, repository: string): ImageRequirement | undefined {
  const { images, enforcement = 'enforce' } = policy.spec;
  if (images === undefined) return undefined;
  const found = images.findIndex(({ match }) => compileImageGlobs(match)(repository));
  const rule = images[found];
  return {
    policy: namespacedName(policy),
    enforcement,
    ruleIndex: rule === undefined ? undefined : found,
    outcome: rule === undefined ? { kind: 'deny', why: 'no-rule' } : outcomeOf(rule),
  };
}

function outcomeOf(rule: ImageRule): ImageOutcome {
  switch (rule.action) {
    case undefined:
    case 'verify':
      return { kind: 'verify', rule };
    case 'allow':
      return { kind: 'allow' };
    default:
      return { kind: 'deny', why: 'rule' };
  }
}
