// Lists of the API server, page by page, each forgotten before the next is asked for.

import { isRecord, ownField } from '../../model/manifest.ts';
import type { KubeClient } from '../../sources/kubernetes/cluster/client.ts';
import { KubernetesError } from '../../sources/kubernetes/errors.ts';

export interface ListedKind {
  readonly apiVersion: string;
  readonly kind: string;
  readonly path: string;
}

export interface PageOptions {
  readonly client: KubeClient;
  readonly signal: AbortSignal;
  /** Objects of one page. */
  readonly limit: number;
  readonly maxBytes: number;
}

export type ListedObject = Readonly<Record<string, unknown>>;

/**
 * The objects have their apiVersion and kind, which lists leave out.
 * @throws KubernetesError; ERR_KUBE_EXPIRED when the page before was held for too long: then only a new beginning helps
 */
export async function* pagesOf(
  { apiVersion, kind, path }: ListedKind,
  { client, signal, limit, maxBytes }: PageOptions,
): AsyncGenerator<readonly ListedObject[]> {
  let next: string | undefined;
  for (;;) {
    const query = { limit: String(limit), ...(next !== undefined && { continue: next }) };
    const answer = await client.json({ path, query, signal, maxBytes });
    const found = ownField(ownField(answer, 'metadata'), 'continue');
    // `items` is null in a list that a server written in Go has left empty.
    const items = isRecord(answer) && answer['items'] === null ? [] : ownField(answer, 'items');
    if (ownField(answer, 'kind') !== `${kind}List` || !Array.isArray(items)) {
      throw new KubernetesError('ERR_KUBE_PROTOCOL', `${path}: the answer is no ${kind}List`);
    }
    yield items.filter(isRecord).map((item) => ({ ...item, apiVersion, kind }));
    if (typeof found !== 'string' || found === '') return;
    // Each page adds something, or there would be no end to them.
    if (found === next || items.length === 0) {
      throw new KubernetesError('ERR_KUBE_PROTOCOL', `${path}: a list whose pages lead nowhere`);
    }
    next = found;
  }
}
