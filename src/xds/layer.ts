// Building layers.

import type { EncodedResource, Layer, ResourceMap, TypeUrl } from './resources.ts';

/** Stands for "no resource of this type"; one object, so that comparisons by identity work. */
export const noResources: ResourceMap = new Map();

export const emptyLayer: Layer = { byType: new Map() };

/** A layer of these resources. Two of one type and name are a programming error: one would silently hide the other. */
export function createLayer(resources: Iterable<EncodedResource>): Layer {
  const byType = new Map<TypeUrl, Map<string, EncodedResource>>();
  for (const resource of resources) {
    const ofType = byType.get(resource.typeUrl) ?? new Map<string, EncodedResource>();
    if (ofType.has(resource.name))
      throw new Error(`two resources of type ${resource.typeUrl} are named ${resource.name}`);
    ofType.set(resource.name, resource);
    byType.set(resource.typeUrl, ofType);
  }
  return { byType };
}
