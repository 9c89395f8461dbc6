// What is in an image, by digest: who runs an index runs one of the images in it, and may name that image itself.

import type { RegistryClient } from '../../../registry/client.ts';
import type { Descriptor } from '../../../registry/descriptor.ts';
import { type Digest, digestOf, isDigest } from '../../../registry/digest.ts';
import { isNotFound, RegistryError } from '../../../registry/errors.ts';
import type { FetchedManifest } from '../../../registry/manifest.ts';
import { kindOf } from '../../../registry/media-types.ts';
import type { Repository } from '../../../registry/reference.ts';

export interface ImageContents {
  /** Of the manifest itself and of the indexes in it, by every algorithm that a policy may name them by. */
  readonly names: readonly string[];
  /** Of all that the index lists, and the indexes in it. Empty for an image. */
  readonly inside: readonly Digest[];
}

/** Of a digest that is revoked. */
export interface RevokedContents {
  readonly entry: Digest;
  readonly contents: ImageContents;
}

export interface ContentsReader {
  /** Undefined: the repository does not have it. @throws RegistryError; the signal's reason */
  ofImage(repository: Repository, digest: Digest, signal: AbortSignal): Promise<ImageContents | undefined>;
  /**
   * Of all that is revoked, as far as anything is in it, looked for where the image is. What costs least comes first, so that who has
   * seen enough need not go on.
   * @throws RegistryError, also for what cannot be looked for within one question; the signal's reason
   */
  ofRevoked(
    repository: Repository,
    revoked: ReadonlySet<string>,
    signal: AbortSignal,
  ): AsyncIterable<readonly RevokedContents[]> | Iterable<readonly RevokedContents[]>;
}

/** Of one image, itself included: tools make an index of images, and no more. */
const maxManifests = 16;

/** Those of `revoked.digests`. */
const algorithms = ['sha256', 'sha512'] as const;

/** Asks for one manifest, unless there are indexes in the index; and for all that is revoked. */
export function readingContents(client: Pick<RegistryClient, 'manifest'>): ContentsReader {
  const ofImage: ContentsReader['ofImage'] = async (repository, digest, signal) => {
    const names: string[] = [];
    const inside = new Set<Digest>();
    const waiting = new Set<Digest>([digest]);
    for (const each of waiting) {
      if (waiting.size > maxManifests) throw tooManyIndexes(digest);
      const read = () => client.manifest(repository, each, signal);
      const fetched = each === digest ? await orMissing(read) : await read();
      if (fetched === undefined) return undefined;
      names.push(...namesOf(fetched));
      for (const listed of listedBy(fetched)) {
        inside.add(listed.digest);
        if (kindOf(listed.mediaType) === 'index') waiting.add(listed.digest);
      }
    }
    return { names, inside: [...inside] };
  };
  return {
    ofImage,
    ofRevoked: (repository, revoked, signal) =>
      lookingFor([...revoked].filter(isDigest), async (entry) => ({
        entry,
        contents: await orUnreadable(() => ofImage(repository, entry, signal)),
      })),
  };
}

/** For one question, which leaves room for others. What it has no time for, the next one finds already begun. */
const parallelLooks = 8;

/** @param look contents are undefined where there is nothing */
export async function* lookingFor<T>(
  wanted: readonly T[],
  look: (each: T) => Promise<{ readonly entry: Digest; readonly contents: ImageContents | undefined }>,
): AsyncGenerator<readonly RevokedContents[]> {
  for (let from = 0; from < wanted.length; from += parallelLooks) {
    const found = await Promise.all(wanted.slice(from, from + parallelLooks).map(look));
    yield found.flatMap(({ entry, contents }) => (contents === undefined ? [] : [{ entry, contents }]));
  }
}

const unreadable: ReadonlySet<string> = new Set(['ERR_MANIFEST_INVALID', 'ERR_JSON_INVALID']);

/** Neither an index nor an image that anything could run has other images in it. */
export async function orUnreadable<T>(read: () => Promise<T>): Promise<T | undefined> {
  return await orUndefined(read, ({ code }) => unreadable.has(code));
}

function namesOf({ bytes }: FetchedManifest): readonly string[] {
  return algorithms.map((algorithm) => digestOf(bytes, algorithm));
}

function listedBy({ manifest }: FetchedManifest): readonly Descriptor[] {
  return manifest.kind === 'index' ? manifest.manifests : [];
}

/** Not for what an index lists: that may come to be there before the image is pulled. */
async function orMissing<T>(read: () => Promise<T>): Promise<T | undefined> {
  return await orUndefined(read, isNotFound);
}

async function orUndefined<T>(
  read: () => Promise<T>,
  isMeant: (error: RegistryError) => boolean,
): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof RegistryError && isMeant(error)) return undefined;
    throw error;
  }
}

function tooManyIndexes(digest: Digest): RegistryError {
  return new RegistryError(
    'ERR_REGISTRY_TOO_LARGE',
    `${digest} is an index of more than ${maxManifests - 1} indexes; use one that lists images`,
  );
}
