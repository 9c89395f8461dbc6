// Bringing one blob from a repository to another, at the price of as few bytes as possible.

import type { RegistryAccess } from './client.ts';
import type { Descriptor } from './descriptor.ts';
import type { StreamBody } from './http/exchange.ts';
import { inlineContent, openBlob } from './pull.ts';
import { hasBlob, uploadBlob } from './push.ts';
import type { Repository } from './reference.ts';
import type { Session } from './session.ts';

export type BlobOutcome =
  /** Sent to the destination. */
  | 'copied'
  /** Taken by the registry from the other repository. */
  | 'mounted'
  /** There before. */
  | 'present'
  /** Distributed by nobody but its owner. */
  | 'foreign';

/** @param session of the destination @throws RegistryError */
export async function copyBlob(
  access: RegistryAccess,
  session: Session,
  source: Repository,
  destination: Repository,
  descriptor: Descriptor,
  signal?: AbortSignal,
): Promise<BlobOutcome> {
  const { digest, size, urls = [] } = descriptor;
  if (await hasBlob(session, destination, digest, signal)) return 'present';
  if (urls.length > 0) return 'foreign';
  const isSameRegistry = source.registry === destination.registry;
  const from = isSameRegistry && source.path !== destination.path ? source : undefined;
  // Nothing is held in memory: the pieces go out as they come in.
  const open = async (): Promise<Uint8Array | StreamBody> => {
    const inline = inlineContent(descriptor);
    if (inline !== undefined) return inline;
    const pieces = await access.read(
      source,
      (reading, place) => openBlob(reading, place, descriptor, signal),
      signal,
    );
    return { pieces, bytes: size };
  };
  return (await uploadBlob(session, destination, digest, open, from, signal)) ? 'copied' : 'mounted';
}
