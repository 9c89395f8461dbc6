// All objects of one kind as they were at one moment, page by page.

import type { KubeClient } from '../cluster/client.ts';
import { isKubernetesError, KubernetesError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { ResourceType } from './resource-type.ts';
import { type ListPage, readListPage, type WireObject } from './wire.ts';

export interface ListOptions<T> {
  readonly type: ResourceType;
  readonly client: KubeClient;
  readonly sink: { readonly read: (object: WireObject) => T };
  readonly limits: Limits;
  readonly signal: AbortSignal;
}

export interface Listed<T> {
  readonly objects: ReadonlyMap<string, T>;
  readonly unusable: number;
  /** Of the list as a whole: a watch goes on from there. */
  readonly resourceVersion: string;
}

/**
 * Without a resourceVersion: the answer is the newest state and never one from before. Where the pages that follow are no longer
 * to be had (a long list, a short memory), the list is asked for again, in one piece.
 */
export async function listAll<T>(options: ListOptions<T>): Promise<Listed<T>> {
  try {
    return await listPages(options, { limit: String(options.limits.pageObjects) });
  } catch (error) {
    if (!isKubernetesError(error, 'ERR_KUBE_EXPIRED')) throw error;
    return await listPages(options, {});
  }
}

async function listPages<T>(
  options: ListOptions<T>,
  query: Readonly<Record<string, string>>,
): Promise<Listed<T>> {
  const { type, sink, limits } = options;
  const objects = new Map<string, T>();
  let unusable = 0;
  let next: string | undefined;
  for (;;) {
    const page = await listPage(options, { ...query, ...(next !== undefined && { continue: next }) });
    // Read at once: of thousands of objects in JSON only one page is held.
    for (const object of page.objects) objects.set(object.key, sink.read(object));
    unusable += page.unusable;
    if (objects.size > limits.maxObjects) throw tooMany(type, limits);
    if (page.next === undefined) return { objects, unusable, resourceVersion: page.resourceVersion };
    // Each page adds something, or there would be no end to them.
    if (page.objects.length === 0 || page.next === next) {
      throw new KubernetesError('ERR_KUBE_PROTOCOL', `${type.path}: a list whose pages lead nowhere`);
    }
    next = page.next;
  }
}

async function listPage<T>(
  { client, type, limits, signal }: ListOptions<T>,
  query: Readonly<Record<string, string>>,
): Promise<ListPage> {
  const answer = await client.json({ path: type.path, query, signal, maxBytes: limits.maxListBytes });
  return readListPage(type, answer);
}

export function tooMany(type: ResourceType, { maxObjects }: Limits): KubernetesError {
  return new KubernetesError('ERR_KUBE_TOO_LARGE', `${type.path}: more than ${maxObjects} objects`);
}
