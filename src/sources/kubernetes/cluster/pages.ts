// Lists of the API server, page by page: of thousands of objects in JSON only one page is held.

import { isRecord, ownField } from '../../../model/manifest.ts';
import { KubernetesError } from '../errors.ts';
import type { KubeClient } from './client.ts';

export interface ListedKind {
  readonly kind: string;
  /** Of the list. */
  readonly path: string;
}

export interface PageOptions {
  readonly client: KubeClient;
  readonly signal: AbortSignal;
  /** Items of one page; undefined: all of them in one piece. */
  readonly limit: number | undefined;
  /** Of one page. */
  readonly maxBytes: number;
}

export interface Page {
  /** Without apiVersion and kind, which lists leave out. */
  readonly items: readonly unknown[];
  /** Of the list as a whole. */
  readonly resourceVersion: string;
}

/**
 * Without a resourceVersion: the answer is the newest state and never one from before.
 * @throws KubernetesError: ERR_KUBE_PROTOCOL for what only looks like a list, ERR_KUBE_EXPIRED when the page before was held for
 *   too long: then only a new beginning helps
 */
export async function* pagesOf(type: ListedKind, options: PageOptions): AsyncGenerator<Page> {
  const { client, signal, limit, maxBytes } = options;
  const common = limit === undefined ? {} : { limit: String(limit) };
  let next: string | undefined;
  for (;;) {
    const query = { ...common, ...(next !== undefined && { continue: next }) };
    const answer = await client.json({ path: type.path, query, signal, maxBytes });
    const page = readPage(type, answer);
    const found = ownField(ownField(answer, 'metadata'), 'continue');
    yield page;
    if (typeof found !== 'string' || found === '') return;
    // Each page adds something, or there would be no end to them.
    if (found === next || page.items.length === 0) {
      throw new KubernetesError('ERR_KUBE_PROTOCOL', `${type.path}: a list whose pages lead nowhere`);
    }
    next = found;
  }
}

/** An answer that only looks like an empty list would let all that there is be forgotten. */
function readPage({ kind, path }: ListedKind, answer: unknown): Page {
  const resourceVersion = ownField(ownField(answer, 'metadata'), 'resourceVersion');
  // `items` is null in a list that a server written in Go has left empty.
  const items = isRecord(answer) && answer['items'] === null ? [] : ownField(answer, 'items');
  const isList = ownField(answer, 'kind') === `${kind}List`;
  if (!isList || typeof resourceVersion !== 'string' || resourceVersion === '' || !Array.isArray(items)) {
    throw new KubernetesError(
      'ERR_KUBE_PROTOCOL',
      `${path}: the answer is no ${kind}List; is that an API server?`,
    );
  }
  return { items, resourceVersion };
}
