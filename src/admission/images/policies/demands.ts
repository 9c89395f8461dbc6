// What policies demand of an image, as far as they say so by themselves: no registry is asked, and no key is needed.

import type { Policy } from '../../../model/mesh.ts';
import { isEnforced } from '../../../policy/enforcement.ts';
import { type ImageReference, repositoryName } from '../../../registry/reference.ts';
import type { CompiledImagePolicies, Requirement } from './requirement.ts';

/**
 * Whether the image is denied whatever its signatures are. No registry need be asked about it then, and whoever names a registry that
 * hangs in an image that nothing allows takes no time from the others.
 */
export function isDeniedAlready(policies: CompiledImagePolicies, reference: ImageReference): boolean {
  return requirementsOn(policies, reference).some((each) => isClosed(each) && enforces(each));
}

/** Of what is required of the image, as much as can make a difference to the decision, or costs nothing. */
export function neededRequirements(
  policies: CompiledImagePolicies,
  reference: ImageReference,
): CompiledImagePolicies {
  if (!isDeniedAlready(policies, reference)) return policies;
  return {
    requirementsOn: (repository) =>
      policies.requirementsOn(repository).filter(({ kind }) => kind !== 'verify'),
    // What a tag names, and what is in an image, is asked of a registry.
    revokedDigests: new Set(revokedNames(policies, reference)),
  };
}

/** The questions to an image judge that policies alone answer: the same answers from every judge. */
export function demandsBy(compiledOf: (policies: readonly Policy[]) => CompiledImagePolicies) {
  return {
    mustBeDigest: (reference: ImageReference, policies: readonly Policy[]): boolean =>
      demandsDigest(compiledOf(policies), reference),
    needsRegistry: (reference: ImageReference, policies: readonly Policy[]): boolean =>
      asksRegistry(compiledOf(policies), reference),
  };
}

/** What a tag names when the kubelet pulls it need not be what was judged. What is denied need not be resolved. */
function demandsDigest(policies: CompiledImagePolicies, reference: ImageReference): boolean {
  if (isDeniedAlready(policies, reference)) return false;
  return (
    policies.revokedDigests.size > 0 ||
    requirementsOn(policies, reference).some((each) => each.kind === 'verify' && enforces(each))
  );
}

function asksRegistry(policies: CompiledImagePolicies, reference: ImageReference): boolean {
  if (isDeniedAlready(policies, reference)) return false;
  return (
    // Only the registry knows what a tag names, and what an index has in it.
    (policies.revokedDigests.size > 0 && revokedNames(policies, reference).length === 0) ||
    requirementsOn(policies, reference).some(({ kind }) => kind === 'verify')
  );
}

/**
 * The policies that enforce rules about images: rules about images are rules about registries, and a name that leaves the registry to
 * the runtime is not good enough. None: names may say what they like.
 */
export function namingPolicies(policies: readonly Policy[]): readonly Policy[] {
  return policies.filter((policy) => policy.spec.images !== undefined && isEnforced(policy));
}

function requirementsOn(policies: CompiledImagePolicies, reference: ImageReference): readonly Requirement[] {
  return policies.requirementsOn(repositoryName(reference));
}

function isClosed({ kind }: Requirement): boolean {
  return kind === 'deny' || kind === 'unusable';
}

function enforces({ enforcement }: Requirement): boolean {
  return enforcement === 'enforce';
}

/** What is revoked of all that the reference says. */
function revokedNames(
  { revokedDigests }: CompiledImagePolicies,
  { digest }: ImageReference,
): readonly string[] {
  return digest !== undefined && revokedDigests.has(digest) ? [digest] : [];
}
