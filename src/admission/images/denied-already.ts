// Images that are denied whatever their signatures are: no registry need be asked about them, and whoever names a registry that
// hangs in an image that nothing allows takes no time from the others.

import { type ImageReference, repositoryName } from '../../registry/reference.ts';
import type { CompiledImagePolicies } from './requirement.ts';

export function isDeniedAlready(policies: CompiledImagePolicies, reference: ImageReference): boolean {
  return policies
    .requirementsOn(repositoryName(reference))
    .some(({ kind, enforcement }) => kind === 'deny' && enforcement === 'enforce');
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
    revokedDigests: named(policies.revokedDigests, reference.digest),
  };
}

function named(revoked: ReadonlySet<string>, digest: string | undefined): ReadonlySet<string> {
  return new Set(digest !== undefined && revoked.has(digest) ? [digest] : []);
}
