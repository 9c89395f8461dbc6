// The images of a pod: of containers of every list, and those that are mounted as volumes.

import { type ContainerList, containersOf } from './containers.ts';
import type { Pod } from './read-pod.ts';

/** Different ones of one object: each costs a look at a registry, within the time of one request. */
export const maxImages = 200;

export interface ImageUse {
  readonly list: ContainerList | 'volumes';
  /** Of the container, or of the volume. */
  readonly name: string;
  /** In the pod: `spec.containers[0].image`. */
  readonly field: string;
  /** As it is written; undefined where none is given. */
  readonly text: string | undefined;
}

export function imagesOf(pod: Pod): readonly ImageUse[] {
  const ofContainers = containersOf(pod).map(({ list, container: { name, image }, field }) => ({
    ...{ list, name, field: `${field}.image` },
    text: image ?? undefined,
  }));
  const ofVolumes = pod.spec.volumes.flatMap(({ name, image }, index) => {
    if (image == null) return [];
    const field = `spec.volumes[${index}].image.reference`;
    return [{ list: 'volumes' as const, name, field, text: image.reference ?? undefined }];
  });
  return [...ofContainers, ...ofVolumes];
}

/**
 * Those of `images` that `before` does not have in the same container, or volume, by exactly the same text. What is the same has
 * been let in before, and is running.
 */
export function changedImages(images: readonly ImageUse[], before: readonly ImageUse[]): readonly ImageUse[] {
  const known = new Set(before.map(keyOf));
  return images.filter((image) => !known.has(keyOf(image)));
}

function keyOf({ list, name, text }: ImageUse): string {
  return JSON.stringify([list, name, text]);
}
