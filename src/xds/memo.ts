// Keeps the last result per key for as long as what it was made from stays the same.

interface Entry<Value> {
  readonly dependencies: readonly unknown[];
  readonly value: Value;
}

/**
 * Dependencies are compared by identity, one by one: the model reuses the objects that a change does not touch. Keys that
 * were not asked for between two calls of `sweep` are forgotten.
 */
export class Memo<Key, Value> {
  #entries = new Map<Key, Entry<Value>>();
  #used = new Map<Key, Entry<Value>>();

  get(key: Key, dependencies: readonly unknown[], make: () => Value): Value {
    const known = this.#used.get(key) ?? this.#entries.get(key);
    const entry =
      known !== undefined && same(known.dependencies, dependencies) ? known : { dependencies, value: make() };
    this.#used.set(key, entry);
    return entry.value;
  }

  sweep(): void {
    this.#entries = this.#used;
    this.#used = new Map();
  }
}

export function same(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}
