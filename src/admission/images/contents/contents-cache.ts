// What is in images, remembered for whoever asks next.

import { LRUCache } from 'lru-cache';
import type { RegistryClient } from '../../../registry/client.ts';
import type { Digest } from '../../../registry/digest.ts';
import { type Repository, repositoryName } from '../../../registry/reference.ts';
import { isYoung } from '../../sharing/remembered.ts';
import type { Asker } from '../turns/asker.ts';
import type { Gate } from '../turns/gate.ts';
import { createSharedTurns } from '../turns/shared-turns.ts';
import { type ContentsReader, type ImageContents, readingContents } from './image-contents.ts';

export interface ContentsCacheOptions {
  /** Of memory, all together. */
  readonly maxBytes: number;
  /** How long it is believed that a repository does not have what is revoked. */
  readonly lifeMs: number;
  readonly gate: Gate;
  readonly now: () => Date;
}

/** @param scope of the client; see PullCredentials */
type ReaderFor = (client: Pick<RegistryClient, 'manifest'>, scope: string, asker: Asker) => ContentsReader;

/**
 * What was read once is known: a digest names the same bytes wherever they are, and whoever asks. That there is nothing is known of one
 * repository, as far as those credentials see.
 */
export function createContentsCache(options: ContentsCacheOptions): ReaderFor {
  const { lifeMs, gate, now } = options;
  const maxBytes = Math.ceil(options.maxBytes / 3);
  const images = createKnown(maxBytes);
  // Apart, so that it does not matter how many images somebody asks about.
  const revoked = createKnown(maxBytes);
  const absent = new LRUCache<string, number>({
    maxSize: maxBytes,
    sizeCalculation: (_, key) => entryBytes + key.length,
  });
  const inTurn = createSharedTurns<ImageContents | undefined>(gate);

  return (client, scope, asker) => {
    const reader = readingContents(client);
    const read = async (known: Known, repository: Repository, digest: Digest, signal: AbortSignal) => {
      const found = known.get(digest);
      if (found !== undefined) return found;
      const key = `${scope} ${repositoryName(repository)}@${digest}`;
      const contents = await inTurn({ key, registry: repository.registry, asker, signal }, (shared) =>
        reader.ofImage(repository, digest, shared),
      );
      if (contents !== undefined) known.set(digest, contents);
      return contents;
    };
    return {
      ofImage: async (...what) => await read(images, ...what),
      ofRevoked: async (repository, digest, signal) => {
        const key = `${scope} ${repositoryName(repository)}@${digest}`;
        const missedAt = absent.get(key);
        if (missedAt !== undefined && isYoung(missedAt, lifeMs, now())) return revoked.get(digest);
        const askedAt = now().getTime();
        const contents = await read(revoked, repository, digest, signal);
        if (contents === undefined) absent.set(key, askedAt);
        return contents;
      },
    };
  };
}

type Known = LRUCache<Digest, ImageContents>;

/** A digest in a list. */
const digestBytes = 160;
const entryBytes = 256;

function createKnown(maxSize: number): Known {
  return new LRUCache({
    maxSize,
    sizeCalculation: ({ names, inside }) => entryBytes + (names.length + inside.length) * digestBytes,
  });
}
