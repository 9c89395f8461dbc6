// Policies are compiled when they first judge, and not for each image.

import { LRUCache } from 'lru-cache';
import type { Policy } from '../../../model/mesh.ts';
import { parseKmsUri } from '../../../signing/kms/uri.ts';
import { createRemembered, isYoung } from '../../sharing/remembered.ts';
import type { KeySources } from './authorities.ts';
import { compileImagePolicies } from './compile-image-policies.ts';
import { KeyNotAskedError } from './key-not-asked.ts';
import type { CompiledImagePolicies } from './requirement.ts';
import { createTrustPool } from './trust-pool.ts';
import { type Usability, usabilityOf } from './usability.ts';

export interface CompiledSetsOptions {
  readonly sources: KeySources;
  /** How long keys that are not in a policy itself are used before they are asked for again. */
  readonly keyRefreshMs: number;
  readonly maxSets: number;
  readonly now: () => Date;
}

/** @param policies the same objects for as long as they are unchanged, in any order */
export type CompiledOf = (policies: readonly Policy[]) => CompiledImagePolicies;

export interface CompiledSets {
  readonly compiledOf: CompiledOf;
  /** With the same keys. Key management services are not asked. @throws the reason of `signal` */
  usabilityOf(policy: Policy, signal: AbortSignal): Promise<Usability>;
}

interface Kept {
  readonly compiled: CompiledImagePolicies;
  readonly since: number;
}

/** A key has 2 KB; with its parsed form 10. */
const keyBytes = 10 * 1024;
const maxKmsKeys = 1_000;

export function createCompiledSets(options: CompiledSetsOptions): CompiledSets {
  const { keyRefreshMs, maxSets, now } = options;
  const pool = createTrustPool();
  const { sources, withoutAsking } = rememberingKms(options);
  const kept = new LRUCache<string, Kept>({ max: maxSets });
  const numbers = new WeakMap<Policy, number>();
  let last = 0;

  function numberOf(policy: Policy): number {
    const number = numbers.get(policy) ?? ++last;
    numbers.set(policy, number);
    return number;
  }

  const compiledOf: CompiledOf = (policies) => {
    const key = policies
      .map(numberOf)
      .toSorted((a, b) => a - b)
      .join();
    const found = kept.get(key);
    if (found !== undefined && isYoung(found.since, keyRefreshMs, now())) return found.compiled;
    const compiled = compileImagePolicies(policies, sources, pool);
    kept.set(key, { compiled, since: now().getTime() });
    return compiled;
  };
  return {
    compiledOf,
    usabilityOf: (policy, signal) => usabilityOf(policy, { sources: withoutAsking, pool, signal }),
  };
}

/** A policy of the whole mesh is compiled for each namespace; its keys are asked for once. */
function rememberingKms({ sources, keyRefreshMs, now }: CompiledSetsOptions): {
  readonly sources: KeySources;
  /** With those keys of key management services that are known. */
  readonly withoutAsking: KeySources;
} {
  const remembered = createRemembered<Awaited<ReturnType<KeySources['kms']>>>({
    ...{ lifeMs: keyRefreshMs, now, maxBytes: maxKmsKeys * keyBytes },
    bytesOf: () => keyBytes,
  });
  const nobody = new AbortController().signal;
  const configMap: KeySources['configMap'] = (...asked) => sources.configMap(...asked);
  return {
    sources: {
      kms: (uri, signal = nobody) => remembered(uri, signal, (shared) => sources.kms(uri, shared)),
      configMap,
    },
    withoutAsking: {
      kms: async (uri) => {
        parseKmsUri(uri);
        const known = remembered.known(uri);
        if (known === undefined) throw new KeyNotAskedError(`${uri} is not known yet`);
        return known;
      },
      configMap,
    },
  };
}
