// The names a proxy subscribes to. Hundreds of proxies subscribe to the same ones, so they share one set, and what is selected
// with it is selected once.

import type { EncodedResource, ResourceMap } from './resources.ts';

/** The resources of a set that have these names. */
export interface Selection {
  readonly resources: readonly EncodedResource[];
  /** Names that the set does not have. */
  readonly others: readonly string[];
  /** The bytes of all the resources, in one piece. */
  readonly bytes: Uint8Array;
}

/** Sets of one size among which an equal one is looked for: proxies that start together subscribe to the same. */
const maxRemembered = 8;

/** Immutable; equal sets are mostly the same object, but not always: compare content where it matters. */
export class NameSet {
  /** Weakly held, by size, newest last. */
  static readonly #known = new Map<number, WeakRef<NameSet>[]>();

  readonly #names: ReadonlySet<string>;
  readonly #selections = new WeakMap<ResourceMap, Selection>();
  /** The sets that one more request made of this one, by what it asked for. */
  readonly #next = new Map<string, WeakRef<NameSet>>();

  private constructor(names: ReadonlySet<string>) {
    this.#names = names;
  }

  static readonly empty = new NameSet(new Set());

  static of(names: ReadonlySet<string>): NameSet {
    if (names.size === 0) return NameSet.empty;
    const sameSize = (NameSet.#known.get(names.size) ?? []).filter((known) => known.deref() !== undefined);
    for (const known of sameSize) {
      const set = known.deref();
      if (set?.#equals(names)) return set;
    }
    const set = new NameSet(names);
    NameSet.#known.set(names.size, [...sameSize, new WeakRef(set)].slice(-maxRemembered));
    return set;
  }

  get size(): number {
    return this.#names.size;
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  [Symbol.iterator](): IterableIterator<string> {
    return this.#names.values();
  }

  with(names: readonly string[]): NameSet {
    if (this.size === 0) return NameSet.of(new Set(names));
    if (names.every((name) => this.has(name))) return this;
    return this.#step(`+${names.join('\0')}`, () => new Set([...this.#names, ...names]));
  }

  without(names: readonly string[]): NameSet {
    if (!names.some((name) => this.has(name))) return this;
    const gone = new Set(names);
    return this.#step(`-${names.join('\0')}`, () => new Set([...this.#names].filter((name) => !gone.has(name))));
  }

  select(resources: ResourceMap): Selection {
    const known = this.#selections.get(resources);
    if (known !== undefined) return known;
    const found: EncodedResource[] = [];
    const others: string[] = [];
    for (const name of this.#names) {
      const resource = resources.get(name);
      if (resource === undefined) others.push(name);
      else found.push(resource);
    }
    const selection = { resources: found, others, bytes: Buffer.concat(found.map(({ bytes }) => bytes)) };
    this.#selections.set(resources, selection);
    return selection;
  }

  #step(request: string, make: () => ReadonlySet<string>): NameSet {
    const known = this.#next.get(request)?.deref();
    if (known !== undefined) return known;
    const set = NameSet.of(make());
    // One proxy must not fill the memory of a set that others share.
    if (this.#next.size >= maxRemembered) this.#next.clear();
    this.#next.set(request, new WeakRef(set));
    return set;
  }

  #equals(names: ReadonlySet<string>): boolean {
    if (names.size !== this.#names.size) return false;
    for (const name of names) if (!this.#names.has(name)) return false;
    return true;
  }
}
