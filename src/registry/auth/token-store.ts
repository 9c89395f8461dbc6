// The tokens of all credentials and registries of a transport, within one bound: registries choose how long they are, and whoever
// names images how many.

import { LRUCache } from 'lru-cache';
import type { Token } from './token.ts';

export interface OwnTokens {
  get(key: string): Token | undefined;
  set(key: string, token: Token): void;
  delete(key: string): void;
}

export interface TokenStore {
  /** A part of the store that nobody else sees. */
  own(): OwnTokens;
}

/** A token has 1 to 4 KB: those of thousands of repositories. */
const maxBytes = 8 * 1024 * 1024;
const entryBytes = 256;

export function createTokenStore(): TokenStore {
  const tokens = new LRUCache<string, Token>({
    maxSize: maxBytes,
    sizeCalculation: ({ value }, key) => entryBytes + value.length + key.length,
  });
  let owners = 0;
  return {
    own: () => {
      owners += 1;
      const owner = owners;
      const nameOf = (key: string) => `${owner} ${key}`;
      return {
        get: (key) => tokens.get(nameOf(key)),
        set: (key, token) => void tokens.set(nameOf(key), token),
        delete: (key) => void tokens.delete(nameOf(key)),
      };
    },
  };
}
