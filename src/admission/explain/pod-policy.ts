// What the policies of a namespace ask of one pod, told without asking a registry.

import type { NamespacedName, Policy } from '../../model/mesh.ts';
import { namespacedName } from '../../model/mesh.ts';
import type { Enforcement } from '../../policy/enforcement.ts';
import { compileImageRequirements, type ImageRequirement } from '../../policy/images/image-requirements.ts';
import { RegistryError } from '../../registry/errors.ts';
import { type ImageReference, parseReference, repositoryName } from '../../registry/reference.ts';
import { type ImageUse, imagesOf } from '../pod/images.ts';
import type { Pod } from '../pod/read-pod.ts';
import { injectionObstacle } from '../sidecar/injection-obstacle.ts';
import type { SidecarSettings } from '../sidecar/settings.ts';
import { shouldBeMeshed } from '../sidecar/should-be-meshed.ts';

export interface PodPolicy {
  /**
   * Whether one is put into it. It is left alone on the network of its node, where the policies would have one, and where it is for
   * Windows, as stock Envoy is not. Switched off: it would be put in, and none is injected anywhere.
   */
  readonly sidecar: 'injected' | 'left-alone' | 'switched-off' | 'none';
  readonly images: readonly PodImage[];
}

export interface PodImage {
  readonly field: string;
  /** As it is written. */
  readonly image: string;
  /** Why it is no image reference; nothing else is known then. */
  readonly invalid: string | undefined;
  /** `registry/repository`, which the globs of rules are about. */
  readonly repository: string | undefined;
  readonly digest: string | undefined;
  /** In a pod; a tag is what its author may write. */
  readonly mustBeDigest: boolean;
  /** Of each policy about images; empty: none speaks. */
  readonly requirements: readonly {
    readonly policy: NamespacedName;
    readonly enforcement: Enforcement;
    /** From 1; undefined: none matches. */
    readonly rule: number | undefined;
    readonly asks: 'signatures' | 'nothing' | 'denies';
  }[];
  readonly isRevoked: boolean;
}

/**
 * @param policies that hold for the namespace; see policiesForNamespace
 * @param settings of what is injected; undefined: nothing is
 */
export function explainPod(
  pod: Pod,
  policies: readonly Policy[],
  settings: SidecarSettings | undefined,
): PodPolicy {
  const requirements = compileImageRequirements(policies);
  return {
    sidecar: sidecarOf(pod, policies, settings),
    images: imagesOf(pod).flatMap((use) =>
      use.text === undefined ? [] : [explainImage(use, use.text, requirements)],
    ),
  };
}

function sidecarOf(
  pod: Pod,
  policies: readonly Policy[],
  settings: SidecarSettings | undefined,
): PodPolicy['sidecar'] {
  if (!shouldBeMeshed(policies, pod.metadata.labels)) return 'none';
  if (injectionObstacle(pod) !== undefined) return 'left-alone';
  return settings === undefined ? 'switched-off' : 'injected';
}

function explainImage(
  { field }: ImageUse,
  image: string,
  requirements: ReturnType<typeof compileImageRequirements>,
): PodImage {
  let reference: ImageReference;
  try {
    reference = parseReference(image);
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    const invalid = error.message;
    const nothing = { repository: undefined, digest: undefined, requirements: [] };
    return { field, image, invalid, ...nothing, mustBeDigest: false, isRevoked: false };
  }
  const repository = repositoryName(reference);
  const { digest } = reference;
  const asked = requirements.of(repository);
  return {
    ...{ field, image, invalid: undefined, repository, digest },
    mustBeDigest: requirements.revokedDigests.size > 0 || asked.some(demandsSignature),
    requirements: asked.map(explainRequirement),
    isRevoked: digest !== undefined && requirements.revokedDigests.has(digest),
  };
}

function demandsSignature({ enforcement, outcome }: ImageRequirement): boolean {
  return enforcement === 'enforce' && outcome.kind === 'verify';
}

function explainRequirement({
  policy,
  enforcement,
  ruleIndex,
  outcome,
}: ImageRequirement): PodImage['requirements'][number] {
  const asks = { verify: 'signatures', allow: 'nothing', deny: 'denies' } as const;
  return {
    policy: namespacedName(policy),
    enforcement,
    rule: ruleIndex === undefined ? undefined : ruleIndex + 1,
    asks: asks[outcome.kind],
  };
}
