// Equal keys, and equal rules about certificates, are one object in all policies and for as long as they are in use. An
// examination counts certificates by the object that accepted them, and so means the same when the policies are compiled anew;
// and a thousand examinations hold each key once.

import { LRUCache } from 'lru-cache';
import type { PublicKey } from '../../../signing/keys/public-key.ts';
import type { KeylessVerifier } from '../../../signing/verify/policy.ts';

export interface TrustPool {
  /** The key that is equal to this one. */
  key(key: PublicKey): PublicKey;
  /** @param content all that it is made from @throws what `make` throws */
  keyless(content: readonly unknown[], make: () => KeylessVerifier): KeylessVerifier;
}

/** Above what clusters have; past it equal ones may be two, which costs another look. A key has 10 KB, a trusted root up to 1 MB. */
const maxKeys = 4_096;
const maxKeyless = 256;

export function createTrustPool(): TrustPool {
  const keys = new LRUCache<string, PublicKey>({ max: maxKeys });
  const rules = new LRUCache<string, KeylessVerifier>({ max: maxKeyless });
  return {
    key: (key) => {
      const pooled = keys.get(key.spkiSha256) ?? key;
      keys.set(key.spkiSha256, pooled);
      return pooled;
    },
    keyless: (content, make) => {
      const name = JSON.stringify(content);
      const pooled = rules.get(name) ?? make();
      rules.set(name, pooled);
      return pooled;
    },
  };
}
