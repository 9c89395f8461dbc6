// Adding to the list of referrers that a tag stands in for. A registry without the API has no way to change a tag only if
// nobody else has: so after writing we wait for longer than another writer may take from reading to writing, and look
// whether our entries are still there. Every writer that does so ends up in the list.

import type { Descriptor } from './descriptor.ts';
import type { Digest } from './digest.ts';
import { RegistryError } from './errors.ts';
import type { RetryRules } from './http/retry.ts';
import type { RegistryLimits } from './limits.ts';
import { ociIndex } from './media-types.ts';
import { putManifest } from './push.ts';
import type { Repository } from './reference.ts';
import { type FallbackIndex, fallbackTag, pullFallbackIndex } from './referrers.ts';
import type { Session } from './session.ts';

export interface IndexUpdate {
  readonly session: Session;
  readonly repository: Repository;
  readonly subject: Digest;
  readonly entries: readonly Descriptor[];
  readonly limits: RegistryLimits;
  readonly pause: Pick<RetryRules, 'now' | 'random' | 'sleep'>;
}

/** Another writer is as slow as we are, or slower: its reading to writing may take so many times what ours took. */
const slowness = 3;

/** @throws RegistryError ERR_REGISTRY_CONFLICT when others keep overwriting, ERR_REGISTRY_TOO_LARGE when the list is full */
export async function addToFallbackIndex(update: IndexUpdate, signal?: AbortSignal): Promise<void> {
  const { session, repository, subject, entries, limits, pause } = update;
  const read = (): Promise<FallbackIndex | undefined> =>
    pullFallbackIndex(session, repository, subject, limits, signal);
  let current = await read();
  let settleMs = limits.settleMs;
  for (let attempt = 1; missingFrom(current, entries).length > 0; attempt += 1) {
    if (attempt > limits.maxIndexAttempts) throw conflict(repository, subject, limits.maxIndexAttempts);
    const started = pause.now().getTime();
    // Read anew: what was read before the pause may be old by now.
    if (attempt > 1) current = await read();
    const { bytes, mediaType } = withEntries(current, missingFrom(current, entries), limits);
    await putManifest(session, repository, { bytes, mediaType }, fallbackTag(subject), signal);
    settleMs = Math.max(settleMs, slowness * (pause.now().getTime() - started));
    // At random, so that two writers do not stay in step.
    await pause.sleep(settleMs * (1 + pause.random()), signal);
    current = await read();
  }
}

function missingFrom(
  index: FallbackIndex | undefined,
  entries: readonly Descriptor[],
): readonly Descriptor[] {
  const present = new Set(index?.descriptors.map(({ digest }) => digest));
  return entries.filter(({ digest }) => !present.has(digest));
}

function withEntries(
  index: FallbackIndex | undefined,
  entries: readonly Descriptor[],
  limits: RegistryLimits,
): { readonly bytes: Buffer; readonly mediaType: string } {
  // What others wrote stays as they wrote it, members and entries that we do not know included.
  const before = index?.document ?? {};
  const kept: readonly unknown[] = Array.isArray(before['manifests']) ? before['manifests'] : [];
  const mediaType = index?.mediaType ?? ociIndex;
  const manifests = [...kept, ...entries];
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...before, manifests }));
  if (manifests.length > limits.maxReferrers || bytes.byteLength > limits.manifest.maxBytes) {
    throw new RegistryError(
      'ERR_REGISTRY_TOO_LARGE',
      `the list of referrers is full (${kept.length} of ${limits.maxReferrers} entries): remove those that are not needed`,
    );
  }
  return { bytes, mediaType };
}

function conflict(repository: Repository, subject: Digest, attempts: number): RegistryError {
  return new RegistryError(
    'ERR_REGISTRY_CONFLICT',
    `${repository.registry}/${repository.path}: others overwrote the tag ${fallbackTag(subject)} ${attempts} times: try again when they have finished`,
  );
}
