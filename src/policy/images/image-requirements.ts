// Which policies speak about an image, and what each of them demands.

import { namespacedName, type Policy } from '../../model/mesh.ts';
import { compareText } from '../../model/problem.ts';
import { type Enforcement, enforcementOf } from '../enforcement.ts';
import { compileImageGlobs, type ImageMatcher } from './image-glob.ts';

export type ImageRule = NonNullable<Policy['spec']['images']>[number];

export type ImageOutcome =
  /** The authorities of the rule must be satisfied, and its attestations be there. */
  | { readonly kind: 'verify'; readonly rule: ImageRule }
  /** No signature is asked for. */
  | { readonly kind: 'allow' }
  /** By the rule that matches, or because none does. */
  | { readonly kind: 'deny'; readonly why: 'rule' | 'no-rule' };

/** What one policy demands of an image. The same object for the same rule. */
export interface ImageRequirement {
  readonly policy: Policy;
  readonly enforcement: Enforcement;
  /** In `spec.images`, of the rule that decides; undefined when none matches. */
  readonly ruleIndex: number | undefined;
  readonly outcome: ImageOutcome;
}

export interface ImageRequirements {
  /**
   * What is demanded of an image. All must be satisfied; those of policies that only warn or audit decide nothing. Sorted by policy.
   * Empty: no policy has anything to say about images.
   * @param repository `registry/repository`, normalised: `docker.io/library/nginx`
   */
  of(repository: string): readonly ImageRequirement[];
  /** Those of all rules, whatever image they match. */
  readonly all: readonly ImageRequirement[];
  /** Such as `sha256:…`; never accepted, whatever the requirements allow. */
  readonly revokedDigests: ReadonlySet<string>;
  /** SHA-256 of SubjectPublicKeyInfo, in hex; signatures of these keys do not count. */
  readonly revokedKeys: ReadonlySet<string>;
}

/**
 * What the policies of a namespace demand of images. Their order does not matter, nor does repetition; a policy more can only
 * add to what is demanded and revoked.
 *
 * A revocation holds whatever the `enforcement` of its policy: it says that something is known to be bad, which is no rule to be
 * tried out, and setting a policy to `audit` for an hour must not bring a stolen key back.
 * @param policies those that hold for the namespace; see policiesForNamespace
 */
export function compileImageRequirements(policies: readonly Policy[]): ImageRequirements {
  const sorted = [...new Map(policies.map((policy) => [namespacedName(policy), policy]))]
    .sort(([a], [b]) => compareText(a, b))
    .map(([, policy]) => policy);
  const compiled = sorted.flatMap((policy) => compilePolicy(policy) ?? []);
  return {
    of: (repository) => compiled.map(({ requirementOf }) => requirementOf(repository)),
    all: compiled.flatMap(({ all }) => all),
    revokedDigests: new Set(sorted.flatMap(({ spec }) => spec.revoked?.digests ?? [])),
    revokedKeys: new Set(sorted.flatMap(({ spec }) => spec.revoked?.keys ?? [])),
  };
}

interface CompiledPolicy {
  readonly all: readonly ImageRequirement[];
  readonly requirementOf: (repository: string) => ImageRequirement;
}

function compilePolicy(policy: Policy): CompiledPolicy | undefined {
  const { images } = policy.spec;
  const enforcement = enforcementOf(policy);
  if (images === undefined) return undefined;
  const rules = images.map((rule, ruleIndex): [ImageMatcher, ImageRequirement] => [
    compileImageGlobs(rule.match),
    { policy, enforcement, ruleIndex, outcome: outcomeOf(rule) },
  ]);
  const none: ImageRequirement = {
    ...{ policy, enforcement, ruleIndex: undefined },
    outcome: { kind: 'deny', why: 'no-rule' },
  };
  return {
    all: rules.map(([, requirement]) => requirement),
    requirementOf: (repository) => rules.find(([matches]) => matches(repository))?.[1] ?? none,
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
