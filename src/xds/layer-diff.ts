// What changed between two sets of resources. Hundreds of proxies take the same step, so each step is computed once.

import type { EncodedResource, ResourceMap } from './resources.ts';

export interface ResourceDiff {
  /** New or different in the later set. */
  readonly changed: readonly EncodedResource[];
  /** Names that only the earlier set has. */
  readonly removed: readonly string[];
  /** The bytes of all that changed, in one piece. */
  readonly bytes: Uint8Array;
}

const noChange: ResourceDiff = { changed: [], removed: [], bytes: new Uint8Array(0) };

/** Both keys are held weakly: a step is forgotten with either of its ends. */
const steps = new WeakMap<ResourceMap, WeakMap<ResourceMap, ResourceDiff>>();

export function diffResources(from: ResourceMap, to: ResourceMap): ResourceDiff {
  if (from === to) return noChange;
  const fromHere = steps.get(from) ?? new WeakMap<ResourceMap, ResourceDiff>();
  steps.set(from, fromHere);
  const known = fromHere.get(to);
  if (known !== undefined) return known;
  const diff = computeDiff(from, to);
  fromHere.set(to, diff);
  return diff;
}

function computeDiff(from: ResourceMap, to: ResourceMap): ResourceDiff {
  const changed: EncodedResource[] = [];
  for (const resource of to.values()) {
    const before = from.get(resource.name);
    if (before !== resource && before?.version !== resource.version) changed.push(resource);
  }
  const removed: string[] = [];
  for (const name of from.keys()) if (!to.has(name)) removed.push(name);
  if (changed.length === 0 && removed.length === 0) return noChange;
  return new Diff(changed, removed);
}

class Diff implements ResourceDiff {
  readonly changed: readonly EncodedResource[];
  readonly removed: readonly string[];
  #bytes: Uint8Array | undefined;

  constructor(changed: readonly EncodedResource[], removed: readonly string[]) {
    this.changed = changed;
    this.removed = removed;
  }

  get bytes(): Uint8Array {
    const [only] = this.changed;
    this.#bytes ??=
      this.changed.length === 1 && only !== undefined
        ? only.bytes
        : Buffer.concat(this.changed.map(({ bytes }) => bytes));
    return this.#bytes;
  }
}
