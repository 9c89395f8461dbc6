// What is in an image, by digest: who runs an index runs one of the images in it, and may name that image itself.

import { createHash } from 'node:crypto';
import type { RegistryClient } from '../../../registry/client.ts';
import type { Descriptor } from '../../../registry/descriptor.ts';
import type { Digest } from '../../../registry/digest.ts';
import { RegistryError } from '../../../registry/errors.ts';
import type { FetchedManifest } from '../../../registry/manifest.ts';
import { kindOf } from '../../../registry/media-types.ts';
import type { Repository } from '../../../registry/reference.ts';

export interface ImageContents {
  /** Of the manifest itself and of the indexes in it, by every algorithm that a policy may name them by. */
  readonly names: readonly string[];
  /** Of all that the index lists, and the indexes in it. Empty for an image. */
  readonly inside: readonly Digest[];
}

/** Undefined: the repository does not have it. @throws RegistryError; the signal's reason */
type Read = (
  repository: Repository,
  digest: Digest,
  signal: AbortSignal,
) => Promise<ImageContents | undefined>;

export interface ContentsReader {
  readonly ofImage: Read;
  /** Of what is revoked, looked for where the image is. That it is not there may be believed for a while. */
  readonly ofRevoked: Read;
}

/** Of one image, itself included: tools make an index of images, and no more. */
const maxManifests = 16;

/** Those of `revoked.digests`. */
const algorithms = ['sha256', 'sha384', 'sha512'] as const;

/** Asks for one manifest, unless there are indexes in the index. */
export function readingContents(client: Pick<RegistryClient, 'manifest'>): ContentsReader {
  const read: Read = async (repository, digest, signal) => {
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
  return { ofImage: read, ofRevoked: read };
}

function namesOf({ bytes }: FetchedManifest): readonly string[] {
  return algorithms.map((algorithm) => `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`);
}

function listedBy({ manifest }: FetchedManifest): readonly Descriptor[] {
  return manifest.kind === 'index' ? manifest.manifests : [];
}

/** Not for what an index lists: that may come to be there before the image is pulled. */
async function orMissing<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'ERR_REGISTRY_NOT_FOUND') return undefined;
    throw error;
  }
}

function tooManyIndexes(digest: Digest): RegistryError {
  return new RegistryError(
    'ERR_REGISTRY_TOO_LARGE',
    `${digest} is an index of more than ${maxManifests - 1} indexes; use one that lists images`,
  );
}
