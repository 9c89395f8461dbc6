// How many Events a namespace may cause.

import { LRUCache } from 'lru-cache';

export interface BudgetLimits {
  /** At once. */
  readonly burst: number;
  /** Until there is one more. */
  readonly refillMs: number;
  /** Namespaces that are remembered; who is forgotten has the whole burst again. */
  readonly maxNamespaces: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/** A token bucket for each namespace: whoever floods in one does not use up what there is for others. */
export class EventBudget {
  readonly #limits: BudgetLimits;
  readonly #buckets: LRUCache<string, Bucket>;

  constructor(limits: BudgetLimits) {
    this.#limits = limits;
    this.#buckets = new LRUCache({ max: limits.maxNamespaces });
  }

  /** @param nowMs of a clock that only goes forward */
  take(namespace: string, nowMs: number): boolean {
    const { burst, refillMs } = this.#limits;
    const { tokens, atMs } = this.#buckets.get(namespace) ?? { tokens: burst, atMs: nowMs };
    const filled = Math.min(burst, tokens + (nowMs - atMs) / refillMs);
    const taken = filled >= 1;
    this.#buckets.set(namespace, { tokens: taken ? filled - 1 : filled, atMs: nowMs });
    return taken;
  }
}
