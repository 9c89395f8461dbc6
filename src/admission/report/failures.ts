// Namespaces that could not be judged in a round, and whether it is worth going on. Tenants can make their own namespaces fail; what
// they do there must not keep the others from being judged.

import { KubernetesError, type KubernetesErrorCode } from '../../sources/kubernetes/errors.ts';

/** What the API server answers for all namespaces alike, or does not answer at all. */
const aboutServer: ReadonlySet<KubernetesErrorCode> = new Set([
  'ERR_KUBE_CONFIGURATION',
  'ERR_KUBE_CREDENTIALS',
  'ERR_KUBE_UNREACHABLE',
  'ERR_KUBE_TIMEOUT',
  'ERR_KUBE_UNAUTHORIZED',
  'ERR_KUBE_OVERLOADED',
]);

/** Whether it says nothing about the object that was meant. A single one may all the same be about nothing else. */
export function isAboutServer(error: unknown): boolean {
  return error instanceof KubernetesError && aboutServer.has(error.code);
}

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
  one(error: unknown): void {
    this.#last = error;
    this.#all += 1;
    this.#inRow = isAboutServer(error) ? this.#inRow + 1 : 0;
    if (this.#inRow >= this.#max) throw error;
  }

  /** @param isExempt nothing was judged */
  none(isExempt: boolean): void {
    this.#inRow = 0;
    if (!isExempt) this.#judged += 1;
  }

  /** @throws the last error, where all have failed: a round in which nothing is judged is none */
  end(): void {
    if (this.#judged === 0 && this.#all >= this.#max) throw this.#last;
  }
}
