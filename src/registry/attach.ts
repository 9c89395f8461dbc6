// Attaching artifacts to a manifest, so that whoever lists its referrers finds them.

import type { Artifact } from './artifact.ts';
import type { Descriptor } from './descriptor.ts';
import { type Digest, digestOf } from './digest.ts';
import { RegistryError } from './errors.ts';
import { addToFallbackIndex, type IndexUpdate } from './fallback-index.ts';
import { ociManifest } from './media-types.ts';
import { pushBytes, putManifest } from './push.ts';
import type { Repository } from './reference.ts';
import { listReferrers } from './referrers.ts';
import type { Session } from './session.ts';

export type AttachOptions = Pick<IndexUpdate, 'session' | 'repository' | 'subject' | 'limits' | 'pause'>;

/** @throws RegistryError */
export async function attachArtifacts(
  options: AttachOptions,
  artifacts: readonly Artifact[],
  signal?: AbortSignal,
): Promise<readonly Digest[]> {
  const { session, repository, subject } = options;
  await pushBlobs(session, repository, artifacts, signal);
  const entries: Descriptor[] = [];
  let listedByRegistry = true;
  for (const { manifest, artifactType, annotations } of artifacts) {
    const pushed = await putManifest(
      session,
      repository,
      { bytes: manifest, mediaType: ociManifest },
      undefined,
      signal,
    );
    listedByRegistry &&= pushed.acceptedSubject === subject;
    entries.push({
      mediaType: ociManifest,
      digest: pushed.digest,
      size: manifest.byteLength,
      artifactType,
      annotations,
    });
  }
  if (!listedByRegistry) await ensureListed(options, entries, signal);
  return entries.map(({ digest }) => digest);
}

/** Artifacts share the empty config, and more. */
async function pushBlobs(
  session: Session,
  repository: Repository,
  artifacts: readonly Artifact[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const blobs = new Map(
    artifacts.flatMap((artifact) => artifact.blobs).map((bytes) => [digestOf(bytes), bytes]),
  );
  await Promise.all([...blobs.values()].map((bytes) => pushBytes(session, repository, bytes, signal)));
}

/**
 * For a registry that did not say that it lists them. Some list them and do not say so: where there is the API, readers
 * ask it alone, so that a tag would help nobody.
 * @throws RegistryError
 */
export async function ensureListed(
  options: AttachOptions,
  entries: readonly Descriptor[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const { session, repository, subject, limits } = options;
  const { descriptors, source } = await listReferrers(session, repository, subject, limits, signal);
  if (source === 'tag') {
    await addToFallbackIndex({ ...options, entries }, signal);
    return;
  }
  const listed = new Set(descriptors.map(({ digest }) => digest));
  const missing = entries.find(({ digest }) => !listed.has(digest));
  if (missing === undefined) return;
  throw new RegistryError(
    'ERR_REGISTRY_PROTOCOL',
    `${session.base.host} has the referrers API and does not list ${missing.digest}, which it has just stored`,
  );
}
