// Digests as the OCI image specification writes them (descriptor.md, "Digests"), of the two registered algorithms.

import { createHash, type Hash } from 'node:crypto';
import { RegistryError } from './errors.ts';

export type DigestAlgorithm = 'sha256' | 'sha512';
export type Digest = `${DigestAlgorithm}:${string}`;

// The specification demands lower-case hexadecimal: one content, one spelling.
const grammar = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

const maxShownCharacters = 100;

/** @throws RegistryError ERR_DIGEST_INVALID */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  const shown = JSON.stringify(text.slice(0, maxShownCharacters));
  throw new RegistryError(
    'ERR_DIGEST_INVALID',
    `${shown} is no digest: give sha256: and 64, or sha512: and 128, lower-case hexadecimal digits`,
  );
}

export function isDigest(text: string): text is Digest {
  return grammar.test(text);
}

export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}

export function algorithmOf(digest: Digest): DigestAlgorithm {
  return digest.startsWith('sha512:') ? 'sha512' : 'sha256';
}

export function hexOf(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1);
}

/** Whether the digest names exactly these bytes. */
export function isDigestOf(digest: Digest, bytes: Uint8Array): boolean {
  return digestOf(bytes, algorithmOf(digest)) === digest;
}

/** Checks content that arrives in pieces. */
export class DigestCheck {
  readonly #expected: Digest;
  readonly #hash: Hash;

  constructor(expected: Digest) {
    this.#expected = expected;
    this.#hash = createHash(algorithmOf(expected));
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  /** Ends the check: whether all that was seen is what the digest names. */
  matches(): boolean {
    return `${algorithmOf(this.#expected)}:${this.#hash.digest('hex')}` === this.#expected;
  }
}
