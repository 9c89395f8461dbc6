// Structural sharing: what did not change keeps its identity, so that everything computed from it can be kept too.

import { isDeepStrictEqual } from 'node:util';
import type { MeshState } from './mesh.ts';

/** `next`, with every part that equals its counterpart in `previous` replaced by it; `previous` itself when nothing changed. */
export function shareUnchanged(next: MeshState, previous: MeshState | undefined): MeshState {
  if (previous === undefined) return next;
  const shared: MeshState = {
    trustDomain: next.trustDomain,
    rootNamespace: next.rootNamespace,
    workloads: shareMap(next.workloads, previous.workloads),
    services: shareMap(next.services, previous.services),
    policies: shareMap(next.policies, previous.policies),
    quantumServices: shareMap(next.quantumServices, previous.quantumServices),
  };
  const keys = Object.keys(shared) as (keyof MeshState)[];
  return keys.every((key) => shared[key] === previous[key]) ? previous : shared;
}

function shareMap<K, V>(next: ReadonlyMap<K, V>, previous: ReadonlyMap<K, V>): ReadonlyMap<K, V> {
  let same = next.size === previous.size;
  const merged = new Map<K, V>();
  for (const [key, value] of next) {
    const before = previous.get(key);
    const kept = before !== undefined && (before === value || isDeepStrictEqual(before, value));
    merged.set(key, kept ? before : value);
    same &&= kept;
  }
  return same ? previous : merged;
}
