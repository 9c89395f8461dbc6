// The part of a snapshot that concerns one type, and of it, what a response carries.

import { noResources } from './layer.ts';
import type { EncodedResource, ResourceMap, Snapshot, TypeUrl } from './resources.ts';

export interface View {
  readonly shared: ResourceMap;
  readonly own: ResourceMap;
}

export const emptyView: View = { shared: noResources, own: noResources };

export function viewOf(snapshot: Snapshot, typeUrl: TypeUrl): View {
  return {
    shared: snapshot.shared.byType.get(typeUrl) ?? noResources,
    own: snapshot.own.byType.get(typeUrl) ?? noResources,
  };
}

export function lookup(view: View, name: string): EncodedResource | undefined {
  return view.own.get(name) ?? view.shared.get(name);
}

/** What a response carries. */
export interface Payload {
  readonly resources: readonly EncodedResource[];
  readonly removed: readonly string[];
  /** The bytes of `resources`, in as few pieces as possible. */
  readonly bytes: readonly Uint8Array[];
}
