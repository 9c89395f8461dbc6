// One object by its name. Nothing is listed and nothing is watched: a role that allows no more than `get` is enough.

import type { KubeClient } from '../../sources/kubernetes/cluster/client.ts';
import { getIfThere } from '../../sources/kubernetes/cluster/get-if-there.ts';
import { isKubernetesError } from '../../sources/kubernetes/errors.ts';
import { objectRequestMs } from './limits.ts';
import { objectPath } from './object-path.ts';

/** An object as the API server has it, or why there is none for us. */
export type GotObject =
  | { readonly kind: 'found'; readonly object: unknown }
  | { readonly kind: 'absent' }
  | { readonly kind: 'forbidden' };

/** @throws KubernetesError for all but "not found" and "forbidden"; the reason of `signal` */
export async function getObject(
  client: KubeClient,
  namespace: string,
  plural: string,
  name: string,
  signal: AbortSignal,
): Promise<GotObject> {
  const path = objectPath(namespace, plural, name);
  if (path === undefined) return { kind: 'absent' };
  try {
    const object = await getIfThere(client, { path, signal, timeoutMs: objectRequestMs });
    return object === undefined ? { kind: 'absent' } : { kind: 'found', object };
  } catch (error) {
    if (isKubernetesError(error, 'ERR_KUBE_FORBIDDEN')) return { kind: 'forbidden' };
    throw error;
  }
}
