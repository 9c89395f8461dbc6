// Namespaces that could not be judged in a round, and whether it is worth going on. Tenants can make their own namespaces fail; what
// they do there must not keep the others from being judged.

import { isAboutServer } from '../../sources/kubernetes/errors.ts';

export class Failures {
  readonly #max: number;
  #inRow = 0;
  #all = 0;
  #judged = 0;
  #last: unknown;

  /** @param max of the API server's, one after the other; and of all, where no namespace has been judged */
  constructor(max: number) {
    this.#max = max;
  }

  /** @throws the error, where it is no use going on */
  failed(error: unknown): void {
    this.#last = error;
    this.#all += 1;
    this.#inRow = isAboutServer(error) ? this.#inRow + 1 : 0;
    if (this.#inRow >= this.#max) throw error;
  }

  succeeded(): void {
    this.#inRow = 0;
    this.#judged += 1;
  }

  /** The namespace is exempt: the API server has answered, and nothing was judged. */
  skipped(): void {
    this.#inRow = 0;
  }

  /** @throws the last error, where all have failed: a round in which nothing is judged is none */
  throwIfNothingJudged(): void {
    if (this.#judged === 0 && this.#all >= this.#max) throw this.#last;
  }
}
