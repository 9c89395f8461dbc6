// Whether judging an image takes a registry: images that need none are let in, or not, while everything else is away.

import type { Policy } from '../../model/mesh.ts';
import { compileImageRequirements, type ImageRequirements } from '../../policy/images/image-requirements.ts';
import { type ImageReference, repositoryName } from '../../registry/reference.ts';

/** Policies are the same objects for as long as nobody changes them. */
const compiled = new WeakMap<Policy, ImageRequirements>();

/** @param policies all that hold for the namespace */
export function needsRegistry(reference: ImageReference, policies: readonly Policy[]): boolean {
  const repository = repositoryName(reference);
  return policies.map(requirementsOf).some(
    ({ of, revokedDigests }) =>
      // Only the registry knows what a tag names, and what an index has in it.
      (revokedDigests.size > 0 && !isRevoked(reference, revokedDigests)) ||
      of(repository).some(({ outcome }) => outcome.kind === 'verify'),
  );
}

function isRevoked({ digest }: ImageReference, revoked: ReadonlySet<string>): boolean {
  return digest !== undefined && revoked.has(digest);
}

function requirementsOf(policy: Policy): ImageRequirements {
  const known = compiled.get(policy) ?? compileImageRequirements([policy]);
  compiled.set(policy, known);
  return known;
}
