// All containers of a pod, whichever list they are in.

import type { Container, Pod } from './read-pod.ts';

export type ContainerList = 'containers' | 'initContainers' | 'ephemeralContainers';

/** One that is not listed here would not be judged. */
const containerLists: readonly ContainerList[] = ['initContainers', 'containers', 'ephemeralContainers'];

export interface PlacedContainer {
  readonly list: ContainerList;
  readonly container: Container;
  /** In the pod: `spec.initContainers[0]`. */
  readonly field: string;
}

export function containersOf({ spec }: Pod): readonly PlacedContainer[] {
  return containerLists.flatMap((list) =>
    spec[list].map((container, index) => ({ list, container, field: `spec.${list}[${index}]` })),
  );
}
