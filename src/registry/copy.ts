// Copying an image with everything that refers to it: content first, then what refers to it, the tag last, so that
// whoever pulls by tag finds the signatures.

import { ensureListed } from './attach.ts';
import type { RegistryAccess } from './client.ts';
import { type BlobOutcome, copyBlob } from './copy-blob.ts';
import type { Descriptor } from './descriptor.ts';
import type { Digest } from './digest.ts';
import { RegistryError } from './errors.ts';
import { createSlots } from './http/slots.ts';
import type { FetchedManifest, Manifest } from './manifest.ts';
import { kindOf } from './media-types.ts';
import { hasManifest, putManifest } from './push.ts';
import { formatReference, type ImageReference, type Repository } from './reference.ts';
import type { Session } from './session.ts';

export interface CopyRequest {
  readonly source: ImageReference;
  /** With a digest, it must be the source's; with a tag, that names the image when all else is there. */
  readonly destination: ImageReference;
  /** Signatures, attestations and whatever else names the image, or what was copied with it, as its subject. */
  readonly referrers: boolean;
}

export type CopyEvent =
  | { readonly kind: 'manifest'; readonly digest: Digest; readonly outcome: 'copied' | 'present' }
  | { readonly kind: 'referrer'; readonly digest: Digest; readonly subject: Digest }
  | { readonly kind: 'blob'; readonly digest: Digest; readonly size: number; readonly outcome: BlobOutcome };

export interface CopyResult {
  readonly digest: Digest;
  readonly manifests: { readonly copied: number; readonly present: number };
  /** `foreign` layers are not distributed by registries, and stay where their addresses say. */
  readonly blobs: Readonly<Record<BlobOutcome, number>>;
  /** That were sent to the destination. */
  readonly bytes: number;
  readonly referrers: number;
}

/** An index of indexes, and some; an attack, beyond. */
const maxIndexDepth = 4;
/** A signature of an attestation of an image, and one more. */
const maxReferrerDepth = 4;
/** Layers on their way at the same time: each is in flight twice, coming and going. */
const maxBlobsAtOnce = 3;

/** @throws RegistryError */
export async function copyImage(
  access: RegistryAccess,
  request: CopyRequest,
  report: (event: CopyEvent) => void = () => {},
  signal?: AbortSignal,
): Promise<CopyResult> {
  const { source, destination } = request;
  const { digest } = await access.client.resolve(source, signal);
  if (destination.digest !== undefined && destination.digest !== digest) {
    throw new RegistryError(
      'ERR_REGISTRY_DIGEST_MISMATCH',
      `${formatReference(source)} is ${digest}, and the destination is to be ${destination.digest}`,
    );
  }
  const copy = createCopy(
    access,
    request,
    await access.sessionOf(destination.registry, signal),
    report,
    signal,
  );
  const root = await access.client.manifest(source, digest, signal);
  await copy.tree(root, 1);
  if (request.referrers) await copy.referrersOfAll(1);
  if (destination.tag !== undefined) {
    const { bytes, mediaType } = root;
    await putManifest(copy.session, destination, { bytes, mediaType, digest }, destination.tag, signal);
  }
  return { digest, ...copy.counts() };
}

interface Copy {
  readonly session: Session;
  /** Copies a manifest and what is below it. */
  tree(fetched: FetchedManifest, depth: number): Promise<void>;
  /** Copies what refers to anything that was copied. */
  referrersOfAll(depth: number): Promise<void>;
  counts(): Omit<CopyResult, 'digest'>;
}

function createCopy(
  access: RegistryAccess,
  { source, destination }: CopyRequest,
  session: Session,
  report: (event: CopyEvent) => void,
  signal: AbortSignal | undefined,
): Copy {
  const { client, limits, retry } = access;
  const slots = createSlots(maxBlobsAtOnce);
  const manifests = { copied: 0, present: 0 };
  const blobs: Record<BlobOutcome, number> = { copied: 0, mounted: 0, present: 0, foreign: 0 };
  let bytes = 0;
  let referrers = 0;
  /** All that was copied; what refers to it is copied too. */
  const done = new Set<Digest>();
  const asked = new Set<Digest>();
  const blobsDone = new Map<Digest, Promise<void>>();

  async function tree(
    { digest, bytes: content, mediaType, manifest }: FetchedManifest,
    depth: number,
  ): Promise<void> {
    if (done.has(digest)) return;
    done.add(digest);
    for (const child of childrenOf(manifest)) {
      if (depth === maxIndexDepth) throw tooDeep(source, digest);
      await tree(await client.manifest(source, child.digest, signal), depth + 1);
    }
    const isPresent = await hasManifest(session, destination, digest, signal);
    if (!isPresent) {
      await Promise.all(blobsOf(manifest).map(blob));
      await putManifest(session, destination, { bytes: content, mediaType, digest }, undefined, signal);
    }
    const outcome = isPresent ? 'present' : 'copied';
    manifests[outcome] += 1;
    report({ kind: 'manifest', digest, outcome });
  }

  function blob(descriptor: Descriptor): Promise<void> {
    const { digest, size } = descriptor;
    const before = blobsDone.get(digest);
    if (before !== undefined) return before;
    const task = slots.run(async () => {
      const outcome = await copyBlob(access, session, source, destination, descriptor, signal);
      blobs[outcome] += 1;
      if (outcome === 'copied') bytes += size;
      report({ kind: 'blob', digest, size, outcome });
    }, signal);
    blobsDone.set(digest, task);
    return task;
  }

  async function referrersOfAll(depth: number): Promise<void> {
    const subjects = [...done].filter((digest) => !asked.has(digest));
    for (const subject of subjects) {
      asked.add(subject);
      await referrersOf(subject);
    }
    const isMore = done.size > asked.size;
    if (isMore && depth === maxReferrerDepth) throw tooDeep(source, subjects[0]);
    if (isMore) await referrersOfAll(depth + 1);
  }

  async function referrersOf(subject: Digest): Promise<void> {
    const { descriptors } = await client.referrers(source, subject, signal);
    const entries: Descriptor[] = [];
    for (const { digest } of descriptors) {
      const fetched = await client.manifest(source, digest, signal);
      // The list is the registry's word; who the subject is says the manifest.
      if (fetched.manifest.subject?.digest !== subject) continue;
      referrers += 1;
      if (referrers > limits.maxReferrers) throw tooMany(source, limits.maxReferrers);
      await tree(fetched, 1);
      entries.push(entryOf(fetched));
      report({ kind: 'referrer', digest, subject });
    }
    if (entries.length === 0) return;
    const listing = { session, repository: destination, subject, limits, pause: retry };
    await ensureListed(listing, entries, signal);
  }

  const counts: Copy['counts'] = () => ({ manifests, blobs, bytes, referrers });
  return { session, tree, referrersOfAll, counts };
}

function childrenOf(manifest: Manifest): readonly Descriptor[] {
  if (manifest.kind === 'image') return [];
  const strange = manifest.manifests.find(({ mediaType }) => kindOf(mediaType) === undefined);
  if (strange === undefined) return manifest.manifests;
  throw new RegistryError(
    'ERR_MANIFEST_INVALID',
    `an index names ${strange.digest}, which is ${strange.mediaType} and no manifest: it is not copied`,
  );
}

function blobsOf(manifest: Manifest): readonly Descriptor[] {
  return manifest.kind === 'index' ? [] : [manifest.config, ...manifest.layers];
}

/** As the specification says that a list of referrers describes a manifest ("Listing Referrers"). */
function entryOf({ mediaType, digest, bytes, manifest }: FetchedManifest): Descriptor {
  const { annotations, artifactType: own } = manifest;
  const artifactType = own ?? (manifest.kind === 'image' ? manifest.config.mediaType : undefined);
  return {
    mediaType,
    digest,
    size: bytes.byteLength,
    ...(artifactType !== undefined && { artifactType }),
    ...(annotations !== undefined && { annotations }),
  };
}

function tooDeep(source: Repository, digest: Digest | undefined): RegistryError {
  return new RegistryError(
    'ERR_REGISTRY_TOO_LARGE',
    `${source.registry}/${source.path}@${digest}: manifests inside of, or about, each other go on for too long`,
  );
}

function tooMany(source: Repository, max: number): RegistryError {
  return new RegistryError(
    'ERR_REGISTRY_TOO_LARGE',
    `${source.registry}/${source.path}: more than ${max} referrers: copy the image without them, or remove some`,
  );
}
