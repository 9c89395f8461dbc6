// Responses of one type that were sent: which are unanswered, what came of the others, and what is to be tried again.

import type { Rejection, ResponseId } from './proxy-status.ts';
import type { EncodedResource, Snapshot } from './resources.ts';
import type { Payload } from './view.ts';

/** One resource in one version; without a version, its removal. */
export interface Item {
  readonly name: string;
  readonly resource: EncodedResource | undefined;
}

export interface Delivery extends ResponseId {
  readonly snapshot: Snapshot;
  readonly resources: readonly EncodedResource[];
  readonly removed: readonly string[];
}

/** Unanswered responses of one type: one that is waited for, after those that were given up. */
const maxUnanswered = 4;

export class Deliveries {
  readonly #unanswered = new Map<string, Delivery>();
  /** Nonces of those whose answer is no longer waited for. */
  readonly #overdue = new Set<string>();
  /** Parts of rejected responses, to be sent by themselves. */
  readonly #retries: (readonly Item[])[] = [];
  readonly #rejected = new Map<string, Rejection>();
  #sent: ResponseId | undefined;
  #acked: ResponseId | undefined;
  #lastRejection: Rejection | undefined;

  get sent(): ResponseId | undefined {
    return this.#sent;
  }

  get acked(): ResponseId | undefined {
    return this.#acked;
  }

  get lastRejection(): Rejection | undefined {
    return this.#lastRejection;
  }

  /** By name, what the client refused when it was sent alone, and has taken in no version since. */
  get rejected(): ReadonlyMap<string, Rejection> {
    return this.#rejected;
  }

  get hasUnanswered(): boolean {
    return this.#unanswered.size > 0;
  }

  /** An answer is missing that is still waited for. */
  get isAwaiting(): boolean {
    return this.#unanswered.size > this.#overdue.size;
  }

  /** So many answers are missing that nothing more is sent before one comes. */
  get isFull(): boolean {
    return this.#unanswered.size >= maxUnanswered;
  }

  get hasRetries(): boolean {
    return this.#retries.length > 0;
  }

  /** Is an answer waited for to a response that gives the client something, rather than only take away? */
  get isAwaitingAdditions(): boolean {
    for (const [nonce, { resources }] of this.#unanswered) {
      if (resources.length > 0 && !this.#overdue.has(nonce)) return true;
    }
    return false;
  }

  /** From now on nothing waits for the answers that are missing; they still count when they come. */
  stopWaiting(): void {
    for (const nonce of this.#unanswered.keys()) this.#overdue.add(nonce);
  }

  record(delivery: Delivery): void {
    this.#sent = responseId(delivery);
    this.#unanswered.set(delivery.nonce, delivery);
  }

  /** The response with this nonce, if the client had not answered it yet. */
  ack(nonce: string): Delivery | undefined {
    const delivery = this.#settle(nonce);
    if (delivery === undefined) return undefined;
    this.#acked = responseId(delivery);
    if (this.#rejected.size > 0) for (const { name } of itemsOf(delivery)) this.#rejected.delete(name);
    return delivery;
  }

  /**
   * A rejected response may have been applied in part, and Envoy drops good routes and endpoints that share a response with
   * a bad one. So its halves are tried by themselves, down to the one that is at fault; that one is not sent again until it
   * changes. A version is sent no more than log2(n) + 1 times.
   */
  nack(
    nonce: string,
    message: string,
  ): { readonly delivery: Delivery; readonly items: readonly Item[] } | undefined {
    const delivery = this.#settle(nonce);
    if (delivery === undefined) return undefined;
    const items = itemsOf(delivery);
    const rejection = { ...responseId(delivery), message };
    this.#lastRejection = rejection;
    const [only] = items;
    if (items.length > 1) {
      const middle = Math.ceil(items.length / 2);
      this.#retries.push(items.slice(0, middle), items.slice(middle));
    } else if (only !== undefined) {
      this.#rejected.set(only.name, rejection);
    }
    return { delivery, items };
  }

  /** The next part to try again, without the items that are out of date by now. */
  takeRetry(isCurrent: (item: Item) => boolean): Payload | undefined {
    for (let retry = this.#retries.shift(); retry !== undefined; retry = this.#retries.shift()) {
      const items = retry.filter(isCurrent);
      if (items.length > 0) return payloadOf(items);
    }
    return undefined;
  }

  /** Forgets the rejections of what the client no longer wants. */
  prune(isSubscribed: (name: string) => boolean): void {
    for (const name of this.#rejected.keys()) if (!isSubscribed(name)) this.#rejected.delete(name);
  }

  #settle(nonce: string): Delivery | undefined {
    const delivery = this.#unanswered.get(nonce);
    this.#unanswered.delete(nonce);
    this.#overdue.delete(nonce);
    return delivery;
  }
}

/** Only what is shown later: the resources of an answered response are not kept. */
function responseId({ nonce, version }: ResponseId): ResponseId {
  return { nonce, version };
}

function itemsOf({ resources, removed }: Delivery): Item[] {
  return [
    ...resources.map((resource) => ({ name: resource.name, resource })),
    ...removed.map((name) => ({ name, resource: undefined })),
  ];
}

function payloadOf(items: readonly Item[]): Payload {
  const resources = items.flatMap(({ resource }) => (resource === undefined ? [] : [resource]));
  const removed = items.flatMap(({ name, resource }) => (resource === undefined ? [name] : []));
  return { resources, removed, bytes: resources.map(({ bytes }) => bytes) };
}
