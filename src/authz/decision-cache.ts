// Decisions, remembered by everything the policy can have read to make them, and by nothing else.

import { LRUCache } from 'lru-cache';
import type { CompiledAuthorization, PolicyReads } from '../policy/authorize/compile.ts';
import type { Decision } from '../policy/authorize/decision.ts';
import type { RequestAttributes } from '../policy/authorize/request.ts';

/** Entries. What is asked most is asked again before so many others. */
const maxEntries = 8192;
/** Bytes of keys and answers. */
const maxBytes = 8 * 1024 * 1024;
/** A key longer than this, which a caller may make of any path, would push out dozens of others. */
const maxKeyChars = 2048;
/** What an entry takes beside its key. */
const entryBytes = 128;

/**
 * From which cost on, in tenths of a microsecond, a decision is remembered. Comparing a dozen headers with constants takes
 * less than an entry does.
 */
const minCost = 50;

export class DecisionCache<Answer extends object> {
  readonly #answers = new LRUCache<string, Answer>({
    max: maxEntries,
    maxSize: maxBytes,
    sizeCalculation: (_answer, key) => key.length * 2 + entryBytes,
  });
  #policy: CompiledAuthorization | undefined;

  /** What was decided by the very policy for a request that does not differ in anything the policy reads. */
  get(policy: CompiledAuthorization, request: RequestAttributes): Answer | undefined {
    if (policy !== this.#policy) {
      this.#answers.clear();
      this.#policy = policy;
    }
    // Policies without costly conditions never have an entry, and no key is made.
    if (this.#answers.size === 0) return undefined;
    return this.#answers.get(decisionKey(policy.reads, request));
  }

  /** Remembers a decision made by the policy of the last `get`, where that is right and worth its while. */
  set(
    policy: CompiledAuthorization,
    request: RequestAttributes,
    { repeatable, cost }: Pick<Decision, 'repeatable' | 'cost'>,
    answer: Answer,
  ): void {
    if (!repeatable || cost < minCost || policy !== this.#policy) return;
    const key = decisionKey(policy.reads, request);
    if (key.length <= maxKeyChars) this.#answers.set(key, answer);
  }

  get size(): number {
    return this.#answers.size;
  }
}

/** Everything the policy reads, each part with its length before it, so that no two requests have one key. */
export function decisionKey(reads: PolicyReads, request: RequestAttributes): string {
  let key = part(request.principal);
  if (reads.port) key += part(String(request.port));
  if (reads.method) key += part(request.method);
  if (reads.path || reads.query) {
    const { path } = request;
    const question = path.indexOf('?');
    const end = question === -1 ? path.length : question;
    if (reads.path) key += part(path.slice(0, end));
    if (reads.query) key += part(path.slice(end));
  }
  if (reads.host) key += part(request.host);
  for (const name of reads.headers) {
    const values = request.header(name);
    key += `${values.length};`;
    for (const value of values) key += part(value);
  }
  return key;
}

function part(value: string): string {
  return `${value.length}:${value}`;
}
