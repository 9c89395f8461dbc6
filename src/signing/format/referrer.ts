// How a bundle hangs on an image: an OCI 1.1 artifact manifest with one layer, whose subject is the image (OCI image
// specification, "Guidelines for Artifact Usage"; the layout of cosign v3).

import type { Artifact } from '../../registry/artifact.ts';
import type { Descriptor } from '../../registry/descriptor.ts';
import { type Digest, digestOf } from '../../registry/digest.ts';
import type { FetchedManifest } from '../../registry/manifest.ts';
import { ociManifest } from '../../registry/media-types.ts';
import { encodeBase64 } from '../base64.ts';
import { bundleMediaType } from './bundle.ts';

/** The config of an artifact that has none (OCI image specification, "Guidance for an Empty Descriptor"). */
export const emptyConfigMediaType = 'application/vnd.oci.empty.v1+json';
const emptyConfig = Buffer.from('{}');

/** Says in a list of referrers what a bundle is about; unsigned, so it only orders work. */
export const predicateTypeAnnotation = 'dev.sigstore.bundle.predicateType';
const contentAnnotation = 'dev.sigstore.bundle.content';
const createdAnnotation = 'org.opencontainers.image.created';

/**
 * Bundles up to this size stand inside their manifest too, which spares verifiers a request. A signature with log entry
 * and time-stamps has some 20 KB; larger ones would make every list of signatures expensive to read.
 */
export const maxInlineBundleBytes = 32 * 1024;

export interface ReferrerInput {
  readonly subject: Descriptor;
  readonly bundle: Uint8Array;
  readonly predicateType: string;
  readonly created: Date;
}

/** The artifact that attaches a bundle to its subject. */
export function referrerManifest({ subject, bundle, predicateType, created }: ReferrerInput): Artifact {
  const annotations = {
    [contentAnnotation]: 'dsse-envelope',
    [predicateTypeAnnotation]: predicateType,
    [createdAnnotation]: created.toISOString(),
  };
  const { mediaType, digest, size } = subject;
  const manifest = {
    schemaVersion: 2,
    mediaType: ociManifest,
    artifactType: bundleMediaType,
    config: content(emptyConfigMediaType, emptyConfig),
    layers: [content(bundleMediaType, bundle)],
    subject: { mediaType, digest, size },
    annotations,
  };
  return {
    manifest: Buffer.from(JSON.stringify(manifest)),
    blobs: [emptyConfig, bundle],
    artifactType: bundleMediaType,
    annotations,
  };
}

export type ReferrerReading =
  | { readonly kind: 'bundle'; readonly layer: Descriptor }
  /** Something else that hangs on the image: an SBOM, a signature of another tool. */
  | { readonly kind: 'foreign'; readonly reason: string }
  /** It says that it is about another image than the one it was listed for. */
  | { readonly kind: 'other-subject'; readonly reason: string };

/** Where the bundle of a referrer is. A registry lists what it likes: the manifest itself must name the subject. */
export function readReferrer({ manifest }: FetchedManifest, subject: Digest): ReferrerReading {
  if (manifest.subject?.digest !== subject) {
    return { kind: 'other-subject', reason: `its subject is ${manifest.subject?.digest ?? 'missing'}` };
  }
  if (manifest.kind !== 'image' || manifest.artifactType !== bundleMediaType) {
    return { kind: 'foreign', reason: `it is ${manifest.artifactType ?? 'no artifact of a known type'}` };
  }
  const [layer] = manifest.layers;
  if (layer === undefined || manifest.layers.length > 1) {
    return { kind: 'foreign', reason: `it has ${manifest.layers.length} layers, where a bundle has one` };
  }
  if (layer.mediaType !== bundleMediaType) {
    return { kind: 'foreign', reason: `its layer is ${layer.mediaType}` };
  }
  return { kind: 'bundle', layer };
}

function content(mediaType: string, bytes: Uint8Array) {
  const inline = bytes.length <= maxInlineBundleBytes && { data: encodeBase64(bytes) };
  return { mediaType, digest: digestOf(bytes), size: bytes.length, ...inline };
}
