// Where in a pod something has a name that belongs to the sidecar.

import type { ContainerList } from '../pod/containers.ts';
import { sidecarName, sidecarVolumes } from './names.ts';
import { containerLists, itemsOf, type PodObject, specOf } from './pod-object.ts';

export interface ReservedPlace {
  readonly list: ContainerList | 'volumes';
  readonly index: number;
  readonly name: string;
}

/** Containers first, in the order in which they start. */
export function reservedPlaces(pod: PodObject): readonly ReservedPlace[] {
  const spec = specOf(pod);
  const places = (list: ReservedPlace['list'], names: readonly string[]): readonly ReservedPlace[] =>
    itemsOf(spec, list).flatMap(({ name }, index) =>
      typeof name === 'string' && names.includes(name) ? [{ list, index, name }] : [],
    );
  return [
    ...containerLists.flatMap((list) => places(list, [sidecarName])),
    ...places('volumes', sidecarVolumes),
  ];
}

/** `spec.initContainers[0]` */
export function placeField({ list, index }: Pick<ReservedPlace, 'list' | 'index'>): string {
  return `spec.${list}[${index}]`;
}
