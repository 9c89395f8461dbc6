// All objects of one kind as they were at one moment.

import type { KubeClient } from '../cluster/client.ts';
import { pagesOf } from '../cluster/pages.ts';
import { isKubernetesError, KubernetesError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { ResourceType } from './resource-type.ts';
import { readObject, type WireObject } from './wire.ts';

export interface ListOptions<T> {
  readonly type: ResourceType;
  readonly client: KubeClient;
  readonly sink: { readonly read: (object: WireObject) => T };
  readonly limits: Limits;
  readonly signal: AbortSignal;
}

export interface Listed<T> {
  readonly objects: ReadonlyMap<string, T>;
  /** Items that are no objects with a name. */
  readonly unusable: number;
  /** Of the list as a whole: a watch goes on from there. */
  readonly resourceVersion: string;
}

/**
 * Where the pages that follow are no longer to be had (a long list, a short memory), the list is asked for again, in one piece.
 * @throws KubernetesError; the signal's reason
 */
export async function listAll<T>(options: ListOptions<T>): Promise<Listed<T>> {
  try {
    return await listPages(options, options.limits.pageObjects);
  } catch (error) {
    if (!isKubernetesError(error, 'ERR_KUBE_EXPIRED')) throw error;
    return await listPages(options, undefined);
  }
}

async function listPages<T>(
  { type, client, sink, limits, signal }: ListOptions<T>,
  limit: number | undefined,
): Promise<Listed<T>> {
  const objects = new Map<string, T>();
  let [count, unusable, resourceVersion] = [0, 0, ''];
  for await (const page of pagesOf(type, { client, signal, limit, maxBytes: limits.maxListBytes })) {
    // All of them count, or pages of what cannot be used would have no end.
    count += page.items.length;
    if (count > limits.maxObjects) throw tooMany(type, limits);
    for (const item of page.items) {
      const object = readObject(type, item);
      if (object === undefined) unusable += 1;
      else objects.set(object.key, sink.read(object));
    }
    resourceVersion = page.resourceVersion;
  }
  return { objects, unusable, resourceVersion };
}

export function tooMany(type: ResourceType, { maxObjects }: Limits): KubernetesError {
  return new KubernetesError('ERR_KUBE_TOO_LARGE', `${type.path}: more than ${maxObjects} objects`);
}
