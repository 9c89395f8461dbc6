// One object that may well not exist.

import { isKubernetesError } from '../errors.ts';
import type { KubeClient, KubeRequest } from './client.ts';

/** What there is at `path`; undefined where the API server knows of nothing. @throws as `KubeClient.json`, but for that */
export async function getIfThere(
  client: KubeClient,
  request: Pick<KubeRequest, 'path' | 'signal' | 'timeoutMs'>,
): Promise<unknown> {
  try {
    return await client.json(request);
  } catch (error) {
    if (isKubernetesError(error, 'ERR_KUBE_NOT_FOUND')) return undefined;
    throw error;
  }
}
