// What the server serves, and how it learns of another.

/** PEM: the certificate with what stands between it and its CA, and its key. */
export interface ServingPair {
  readonly certificate: string;
  readonly key: string;
}

export interface ServingSource {
  current(): ServingPair;
  /** Called with every pair from now on, until the function it returns is called. */
  onChange(listener: (pair: ServingPair) => void): () => void;
}

/** The source, and the way to put another pair into it. */
export class ServingHolder implements ServingSource {
  #pair: ServingPair;
  readonly #listeners = new Set<(pair: ServingPair) => void>();

  constructor(pair: ServingPair) {
    this.#pair = pair;
  }

  current(): ServingPair {
    return this.#pair;
  }

  onChange(listener: (pair: ServingPair) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The same pair again is no change. */
  set(pair: ServingPair): void {
    if (pair.certificate === this.#pair.certificate && pair.key === this.#pair.key) return;
    this.#pair = pair;
    for (const listener of this.#listeners) listener(pair);
  }
}
