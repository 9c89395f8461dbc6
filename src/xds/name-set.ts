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

/** Names in one request that is remembered; proxies follow a change of the mesh with a few at a time. */
const maxRememberedNames = 64;

/** Immutable; equal sets are mostly the same object, but not always: compare content where it matters. */
export class NameSet {
  /** Weakly held, by size, newest last. */
  static readonly #known = new Map<number, WeakRef<NameSet>[]>();
  /** By the list that asked for them: requests with the same bytes are read into the same list. */
  static readonly #ofLists = new WeakMap<readonly string[], WeakRef<NameSet>>();

  readonly #names: ReadonlySet<string>;
  #bytes: number | undefined;
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
    const equal = sameSize.map((known) => known.deref()).find((set) => set?.equals(names));
    if (equal !== undefined) return equal;
    const set = new NameSet(names);
    NameSet.#known.set(names.size, [...sameSize, new WeakRef(set)].slice(-maxRemembered));
    return set;
  }

  static #ofList(names: readonly string[]): NameSet {
    const known = NameSet.#ofLists.get(names)?.deref();
    if (known !== undefined) return known;
    const set = NameSet.of(new Set(names));
    NameSet.#ofLists.set(names, new WeakRef(set));
    return set;
  }

  get size(): number {
    return this.#names.size;
  }

  /** Length of all names, in UTF-8. */
  get bytes(): number {
    this.#bytes ??= this.#names.values().reduce((bytes, name) => bytes + Buffer.byteLength(name), 0);
    return this.#bytes;
  }

  equals(names: ReadonlySet<string>): boolean {
    return names.size === this.#names.size && names.isSubsetOf(this.#names);
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  [Symbol.iterator](): IterableIterator<string> {
    return this.#names.values();
  }

  with(names: readonly string[]): NameSet {
    if (this.size === 0) return NameSet.#ofList(names);
    if (names.every((name) => this.has(name))) return this;
    return this.#step('+', names, () => new Set([...this.#names, ...names]));
  }

  without(names: readonly string[]): NameSet {
    if (!names.some((name) => this.has(name))) return this;
    const gone = new Set(names);
    return this.#step('-', names, () => new Set([...this.#names].filter((name) => !gone.has(name))));
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

  #step(sign: '+' | '-', names: readonly string[], make: () => ReadonlySet<string>): NameSet {
    if (names.length > maxRememberedNames) return NameSet.of(make());
    // Unambiguous whatever a name contains: one proxy must not choose for another what its request means.
    const request = sign + JSON.stringify(names);
    const known = this.#next.get(request)?.deref();
    if (known !== undefined) return known;
    const set = NameSet.of(make());
    // One proxy must not fill the memory of a set that others share.
    if (this.#next.size >= maxRemembered) this.#next.clear();
    this.#next.set(request, new WeakRef(set));
    return set;
  }
}
