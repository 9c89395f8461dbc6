// A pod and a revision in, what brings the sidecar of that revision in out: a patch, so that nothing of what is there is written again.

import type { ContainerList } from '../pod/containers.ts';
import { type PodObject, specOf } from '../sidecar/pod-object.ts';
import { renderSidecar } from '../sidecar/render.ts';
import { reservedPlaces } from '../sidecar/reserved.ts';
import type { SidecarRevision } from '../sidecar/settings.ts';
import type { JsonPatch } from './json-patch.ts';

/**
 * Empty where anything bears a name of the sidecar's: nothing is repaired, and injecting twice is injecting once. Positions of init
 * containers are other ones after it.
 */
export function sidecarPatch(pod: PodObject, revision: SidecarRevision): JsonPatch {
  if (reservedPlaces(pod).length > 0) return [];
  const { container, volumes } = renderSidecar(revision);
  return [
    ...listPatch(pod, 'initContainers'),
    { op: 'add', path: '/spec/initContainers/0', value: container },
    ...listPatch(pod, 'volumes'),
    ...volumes.map((value) => ({ op: 'add', path: '/spec/volumes/-', value }) as const),
  ];
}

/** Makes the list where there is none. */
function listPatch(pod: PodObject, list: ContainerList | 'volumes'): JsonPatch {
  return Array.isArray(specOf(pod)[list]) ? [] : [{ op: 'add', path: `/spec/${list}`, value: [] }];
}
