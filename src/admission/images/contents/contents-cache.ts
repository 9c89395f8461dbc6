// What is in images, remembered for whoever asks next.

import type { RegistryClient } from '../../../registry/client.ts';
import type { Digest } from '../../../registry/digest.ts';
import { RegistryError } from '../../../registry/errors.ts';
import { type Repository, repositoryName } from '../../../registry/reference.ts';
import type { Asker } from '../turns/asker.ts';
import type { Gate } from '../turns/gate.ts';
import { createSharedTurns } from '../turns/shared-turns.ts';
import { createAbsences, type RevokedEntry, type RevokedList } from './absences.ts';
import { FairCache } from './fair-cache.ts';
import {
  type ContentsReader,
  type ImageContents,
  lookingFor,
  orUnreadable,
  type RevokedContents,
  readingContents,
} from './image-contents.ts';

export interface ContentsCacheOptions {
  /** Of memory, all together. */
  readonly maxBytes: number;
  /** How long it is believed that a repository does not have what is revoked. */
  readonly lifeMs: number;
  readonly gate: Gate;
  readonly now: () => Date;
  /** See absences.ts */
  readonly secret: Uint8Array;
}

/** @param scope of the client; see PullCredentials */
type ReaderFor = (client: Pick<RegistryClient, 'manifest'>, scope: string, asker: Asker) => ContentsReader;

/**
 * Requests that one question makes for what is revoked and that nobody knows: it takes a name in a pod to ask it. A registry that
 * answers within a tenth of a second has answered as many in the time that there is, four of them at a time.
 */
const maxLookups = 256;

/**
 * What was read once is known: a digest names the same bytes wherever they are, and whoever asks. So it does not tell anybody which
 * repositories there are: the answer is the same for a repository that does not exist. It does tell that someone has asked about that
 * digest, to those who have the digest, and that is all. That there is nothing is known of one repository, as far as those credentials see.
 *
 * No conclusions are kept: they are drawn from these each time, without a request, so that an index seen since, and a revocation more,
 * count at once.
 */
export function createContentsCache(options: ContentsCacheOptions): ReaderFor {
  const { lifeMs, gate, now, secret } = options;
  const room = Math.floor(options.maxBytes / 4);
  const images = new FairCache<ImageContents>({ maxBytes: room, idleMs: lifeMs, now });
  // Apart, so that it does not matter how many images somebody asks about.
  const revoked = new FairCache<ImageContents>({ maxBytes: room, idleMs: lifeMs, now });
  const absences = createAbsences({ maxBytes: 2 * room, lifeMs, now, secret });
  const inTurn = createSharedTurns<ImageContents | undefined>(gate);

  return (client, scope, asker) => {
    const { tenant } = asker;
    const reader = readingContents(client);
    const placeOf = (repository: Repository) => `${scope} ${repositoryName(repository)}`;
    const read: ContentsReader['ofImage'] = (repository, digest, signal) =>
      inTurn(
        { key: `${placeOf(repository)}@${digest}`, registry: repository.registry, asker, signal },
        (shared) => reader.ofImage(repository, digest, shared),
      );
    const keep = (where: FairCache<ImageContents>, digest: Digest, contents: ImageContents | undefined) =>
      contents && where.add(tenant, digest, contents, bytesOf(contents));
    /** What was read as an image, before it was revoked, is to stay as well. */
    const knownOfRevoked = (digest: Digest) =>
      revoked.get(tenant, digest) ?? keep(revoked, digest, images.get(tenant, digest));

    async function* lookFor(
      repository: Repository,
      list: RevokedList,
      unknown: readonly RevokedEntry[],
      signal: AbortSignal,
    ): AsyncGenerator<readonly RevokedContents[]> {
      const lookups = absences.lookups(tenant, placeOf(repository), list);
      const due = lookups.due(unknown);
      yield* lookingFor(due.slice(0, maxLookups), async (wanted) => {
        const entry = wanted.digest;
        const askedAt = now().getTime();
        const contents = await orUnreadable(() => read(repository, entry, signal));
        if (contents === undefined) lookups.note(wanted, askedAt);
        return { entry, contents: keep(revoked, entry, contents) };
      });
      const left = due.slice(maxLookups).filter((entry) => !lookups.isBelieved(entry));
      if (left.length > 0) throw tooMany(repository, left.length);
    }

    return {
      ofImage: async (repository, digest, signal) =>
        images.get(tenant, digest) ?? keep(images, digest, await read(repository, digest, signal)),
      ofRevoked: async function* (repository, digests, signal) {
        const list = absences.listOf(digests);
        const known: RevokedContents[] = [];
        const unknown: RevokedEntry[] = [];
        for (const entry of list.entries) {
          const contents = knownOfRevoked(entry.digest);
          if (contents === undefined) unknown.push(entry);
          else known.push({ entry: entry.digest, contents });
        }
        yield known;
        if (unknown.length > 0) yield* lookFor(repository, list, unknown, signal);
      },
    };
  };
}

function tooMany(repository: Repository, left: number): RegistryError {
  return new RegistryError(
    'ERR_REGISTRY_TOO_LARGE',
    `${left} of the digests that are revoked have not been looked for in ${repositoryName(repository)} yet, and one question asks for ${maxLookups}: ask again, and the next ones are`,
  );
}

/** A digest in a list. */
const digestBytes = 160;
/** The lists. */
const contentsBytes = 160;

function bytesOf({ names, inside }: ImageContents): number {
  return contentsBytes + (names.length + inside.length) * digestBytes;
}
