// Policies are compiled when they first judge, and not for each image.

import { LRUCache } from 'lru-cache';
import type { Policy } from '../../../model/mesh.ts';
import { createRemembered, isYoung } from '../../sharing/remembered.ts';
import type { KeySources } from './authorities.ts';
import { compileImagePolicies } from './compile-image-policies.ts';
import type { CompiledImagePolicies } from './requirement.ts';
import { createTrustPool } from './trust-pool.ts';

export interface CompiledSetsOptions {
  readonly sources: KeySources;
  /** How long keys that are not in a policy itself are used before they are asked for again. */
  readonly keyRefreshMs: number;
  readonly maxSets: number;
  readonly now: () => Date;
}

/** @param policies the same objects for as long as they are unchanged, in any order */
export type CompiledOf = (policies: readonly Policy[]) => CompiledImagePolicies;

interface Kept {
  readonly compiled: CompiledImagePolicies;
  readonly since: number;
}

/** A key has 2 KB; with its parsed form 10. */
const keyBytes = 10 * 1024;
const maxKmsKeys = 1_000;

export function createCompiledSets(options: CompiledSetsOptions): CompiledOf {
  const { keyRefreshMs, maxSets, now } = options;
  const pool = createTrustPool();
  const sources = rememberingKms(options);
  const kept = new LRUCache<string, Kept>({ max: maxSets });
  const numbers = new WeakMap<Policy, number>();
  let last = 0;

  function numberOf(policy: Policy): number {
    const number = numbers.get(policy) ?? ++last;
    numbers.set(policy, number);
    return number;
  }

  return (policies) => {
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
}

/** A policy of the whole mesh is compiled for each namespace; its keys are asked for once. */
function rememberingKms({ sources, keyRefreshMs, now }: CompiledSetsOptions): KeySources {
  const remembered = createRemembered<Awaited<ReturnType<KeySources['kms']>>>({
    ...{ lifeMs: keyRefreshMs, now, maxBytes: maxKmsKeys * keyBytes },
    bytesOf: () => keyBytes,
  });
  const nobody = new AbortController().signal;
  return {
    kms: (uri, signal = nobody) => remembered(uri, signal, (shared) => sources.kms(uri, shared)),
    configMap: (namespace, name, key, signal) => sources.configMap(namespace, name, key, signal),
  };
}
