// Whether an image is revoked: by its own digest, or because it shares something with what is. An index and the images in it are the same
// thing to whoever runs them, under digests that have nothing in common.

import { algorithmOf, type Digest } from '../../../registry/digest.ts';
import { RegistryError } from '../../../registry/errors.ts';
import { type Repository, repositoryName } from '../../../registry/reference.ts';
import type { ContentsReader, ImageContents } from './image-contents.ts';

export interface Revocation {
  /** A sentence. */
  readonly reason: string;
  /** Of `revoked.digests`: those that say so. */
  readonly entries: readonly string[];
}

const remedy = 'whoever signed it; use another image';

/** What the name alone tells. */
export function revokedByName(digest: Digest, revoked: ReadonlySet<string>): Revocation | undefined {
  if (revoked.has(digest)) return { reason: `${digest} is revoked, ${remedy}`, entries: [digest] };
  return revoked.size > 0 && algorithmOf(digest) === 'sha512' ? notComparable(digest, revoked) : undefined;
}

/**
 * What only the manifests tell. A revoked digest that this repository does not have, and that was seen in no other, is taken for an image
 * by itself.
 * @throws RegistryError where the image, or what is revoked, could not be looked at; the signal's reason
 */
export async function revokedByContents(
  image: Repository & { readonly digest: Digest },
  revoked: ReadonlySet<string>,
  reader: ContentsReader,
  signal: AbortSignal,
): Promise<Revocation | undefined> {
  const contents = await reader.ofImage(image, image.digest, signal);
  if (contents === undefined) {
    const where = repositoryName(image);
    throw new RegistryError('ERR_REGISTRY_NOT_FOUND', `there is no ${image.digest} in ${where}`);
  }
  const own = contents.names.find((name) => revoked.has(name));
  if (own !== undefined) return { reason: `${own} is revoked, ${remedy}`, entries: [own] };
  const listed = contents.inside.find((each) => revoked.has(each));
  if (listed !== undefined) {
    return { reason: `${listed} in it is revoked, ${remedy}`, entries: [listed] };
  }
  const unclear = contents.inside.find((each) => algorithmOf(each) === 'sha512');
  if (unclear !== undefined) return notComparable(unclear, revoked);
  return await sharedWithRevoked(image, contents, revoked, reader, signal);
}

async function sharedWithRevoked(
  repository: Repository,
  { names, inside }: ImageContents,
  revoked: ReadonlySet<string>,
  reader: ContentsReader,
  signal: AbortSignal,
): Promise<Revocation | undefined> {
  const mine = new Set<string>([...names, ...inside]);
  for await (const found of reader.ofRevoked(repository, revoked, signal)) {
    for (const { entry, contents } of found) {
      const common = [...contents.names, ...contents.inside].find((each) => mine.has(each));
      if (common === undefined) continue;
      return { reason: `${common} is in ${entry}, which is revoked, ${remedy}`, entries: [entry] };
    }
  }
  return undefined;
}

function notComparable(digest: Digest, revoked: ReadonlySet<string>): Revocation {
  return {
    reason: `where digests are revoked, ${digest} is not accepted: what is in it cannot be compared with what is revoked by SHA-256; name the image by its sha256 digest`,
    entries: [...revoked],
  };
}
