// A Pod as JSON, of which nothing is known but that it is an object. What is compared field by field, or patched by position, is
// read here as it stands, unlike what is read for its meaning.

import { isRecord } from '../../model/manifest.ts';
import type { ContainerList } from '../pod/containers.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/** A v1 Pod. */
export type PodObject = JsonObject;

/** In the order in which the kubelet starts them. */
export const containerLists: readonly ContainerList[] = [
  'initContainers',
  'containers',
  'ephemeralContainers',
];

/** An object without fields where there is none. */
export function specOf(pod: PodObject): JsonObject {
  const spec = pod['spec'];
  return isRecord(spec) ? spec : {};
}

/** The entries as they stand; none where there is no list. */
function listOf(object: JsonObject, field: string): readonly unknown[] {
  const list = object[field];
  return Array.isArray(list) ? list : [];
}

/** The same, each at its place: what is no object is one without fields. */
export function itemsOf(object: JsonObject, field: string): readonly JsonObject[] {
  return listOf(object, field).map((item) => (isRecord(item) ? item : {}));
}
