// A cache whose room tenants share. What one of them names, however much it is, pushes out nothing that another one holds: when there
// is no room left, whoever holds most lets go of what it has not asked for the longest.

import { isYoung } from '../../sharing/remembered.ts';

export interface FairCacheOptions {
  /** Of memory, all together. */
  readonly maxBytes: number;
  /** Milliseconds. Who has not asked for so long may be gone, and gives way first: else those that are gone would leave the rest little. */
  readonly idleMs: number;
  readonly now: () => Date;
}

/** Of the room: one must not push out the rest of what its tenant holds. What is larger is not kept. */
const maxEntryShare = 1 / 16;

/** An entry with its key, apart from the value. */
const entryBytes = 256;
/** That somebody holds one. */
const holdBytes = 64;
const tenantBytes = 512;

interface Entry<V> {
  readonly key: string;
  readonly value: V;
  readonly bytes: number;
  holders: number;
}

interface Tenant<V> {
  /** What it has not asked for the longest is first. */
  readonly held: Set<Entry<V>>;
  /** All of it, whoever else holds it. */
  bytes: number;
  seenAt: number;
}

/** An entry is there for everyone, as long as anyone holds it: who asks for it, or adds it, does. Its memory counts once. */
export class FairCache<V> {
  readonly #options: FairCacheOptions;
  readonly #entries = new Map<string, Entry<V>>();
  /** Who has not asked the longest is first. */
  readonly #tenants = new Map<string, Tenant<V>>();
  #bytes = 0;

  constructor(options: FairCacheOptions) {
    this.#options = options;
  }

  /** Of memory, estimated. */
  get bytes(): number {
    return this.#bytes;
  }

  get(tenant: string, key: string): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#hold(tenant, entry);
    return entry.value;
  }

  /**
   * @param bytes of the value
   * @returns what is there by that key, which is the value unless somebody was faster
   */
  add(tenant: string, key: string, value: V, bytes: number): V {
    const known = this.get(tenant, key);
    if (known !== undefined) return known;
    const entry = { key, value, bytes: bytes + key.length + entryBytes, holders: 0 };
    if (entry.bytes > this.#options.maxBytes * maxEntryShare) return value;
    this.#entries.set(key, entry);
    this.#bytes += entry.bytes;
    this.#hold(tenant, entry);
    return value;
  }

  *[Symbol.iterator](): Generator<readonly [key: string, value: V]> {
    for (const { key, value } of this.#entries.values()) yield [key, value];
  }

  #hold(name: string, entry: Entry<V>): void {
    const tenant = this.#tenants.get(name) ?? this.#arrive();
    this.#tenants.delete(name);
    this.#tenants.set(name, tenant);
    tenant.seenAt = this.#options.now().getTime();
    if (!tenant.held.delete(entry)) {
      entry.holders += 1;
      tenant.bytes += entry.bytes;
      this.#bytes += holdBytes;
    }
    tenant.held.add(entry);
    while (this.#bytes > this.#options.maxBytes) this.#giveWay();
  }

  #arrive(): Tenant<V> {
    this.#bytes += tenantBytes;
    return { held: new Set(), bytes: 0, seenAt: 0 };
  }

  #giveWay(): void {
    const [name, tenant] = this.#whoGivesWay();
    for (const entry of tenant.held) {
      tenant.held.delete(entry);
      tenant.bytes -= entry.bytes;
      entry.holders -= 1;
      this.#bytes -= holdBytes;
      if (entry.holders === 0) {
        this.#entries.delete(entry.key);
        this.#bytes -= entry.bytes;
      }
      break;
    }
    if (tenant.held.size > 0) return;
    this.#tenants.delete(name);
    this.#bytes -= tenantBytes;
  }

  #whoGivesWay(): readonly [string, Tenant<V>] {
    const { idleMs, now } = this.#options;
    let largest: readonly [string, Tenant<V>] | undefined;
    for (const each of this.#tenants) {
      const [, { seenAt, bytes }] = each;
      if (largest === undefined && !isYoung(seenAt, idleMs, now())) return each;
      if (largest === undefined || bytes > largest[1].bytes) largest = each;
    }
    if (largest === undefined) throw new Error('a cache that nobody holds anything of is empty');
    return largest;
  }
}
