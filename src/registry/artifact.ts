// What is attached to manifests, and the list of it.

import type { Descriptor } from './descriptor.ts';

/** A manifest that says something about another one, its subject, and what it refers to. */
export interface Artifact {
  /** An OCI image manifest with `subject`. */
  readonly manifest: Uint8Array;
  readonly blobs: readonly Uint8Array[];
  /** For the list of referrers, where the registry does not keep one itself. */
  readonly artifactType: string;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Referrers {
  readonly descriptors: readonly Descriptor[];
  /** The referrers API, or the tag that stands in for it. */
  readonly source: 'api' | 'tag';
}
