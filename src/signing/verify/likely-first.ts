// Which referrers to read, and in which order. All that a list of referrers says can be forged, so it decides nothing but
// this: whoever floods an image with junk has at least to make it look like signatures.

import type { Descriptor } from '../../registry/descriptor.ts';
import { ociManifest } from '../../registry/media-types.ts';
import { bundleMediaType } from '../format/bundle.ts';
import { emptyConfigMediaType, predicateTypeAnnotation } from '../format/referrer.ts';

/**
 * The referrers that can be bundles, each once, those most likely to matter first, in the order of the list among equals.
 * @param predicateTypes those that the policy asks for
 */
export function likelyFirst(
  descriptors: readonly Descriptor[],
  predicateTypes: ReadonlySet<string>,
): readonly Descriptor[] {
  const distinct = new Map(descriptors.filter(canBeBundle).map((each) => [each.digest, each]));
  return [...distinct.values()].toSorted(
    (a, b) => likelihood(b, predicateTypes) - likelihood(a, predicateTypes),
  );
}

function canBeBundle({ mediaType, artifactType }: Descriptor): boolean {
  if (mediaType !== ociManifest) return false;
  // go-containerregistry gives the media type of the config, an old index nothing.
  return (
    artifactType === undefined || artifactType === bundleMediaType || artifactType === emptyConfigMediaType
  );
}

function likelihood({ artifactType, annotations }: Descriptor, predicateTypes: ReadonlySet<string>): number {
  const predicateType = annotations?.[predicateTypeAnnotation];
  if (predicateType !== undefined) return predicateTypes.has(predicateType) ? 3 : 0;
  return artifactType === bundleMediaType ? 2 : 1;
}
