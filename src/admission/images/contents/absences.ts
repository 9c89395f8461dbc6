// Where what is revoked was looked for, and is not. One record for each repository and set of credentials, for all that is revoked
// together: with a thousand revoked digests that are nowhere, a record for each of them would be too much for a hundred repositories.

import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { type Digest, isDigest } from '../../../registry/digest.ts';
import { isYoung } from '../../sharing/remembered.ts';
import { FairCache } from './fair-cache.ts';

/** What a registry can be asked about of the digests that are revoked together. */
export interface RevokedList {
  /** Equal for the same digests. */
  readonly id: string;
  readonly entries: readonly RevokedEntry[];
  /** A number for each entry, by which it is found in records of other lists. */
  readonly prints: Float64Array;
}

export interface RevokedEntry {
  readonly digest: Digest;
  /** In its list. */
  readonly index: number;
}

export interface AbsencesOptions {
  /** Of memory, all together. */
  readonly maxBytes: number;
  /** Milliseconds after which it is asked again. */
  readonly lifeMs: number;
  readonly now: () => Date;
  /** Of this process, at random: who writes policies must not find a digest with the print of another one. */
  readonly secret: Uint8Array;
}

/** Of one list in one place. */
export interface Lookups {
  /** Which of them are to be asked about: first what never was, then what was asked the longest ago. */
  due(entries: readonly RevokedEntry[]): readonly RevokedEntry[];
  /** That it is not there, whether or not it is due. */
  isBelieved(entry: RevokedEntry): boolean;
  /** @param askedAt milliseconds, before it was known that it is not there */
  note(entry: RevokedEntry, askedAt: number): void;
}

export interface Absences {
  /** @param revoked the same object for as long as it is unchanged */
  listOf(revoked: ReadonlySet<string>): RevokedList;
  /** @param place the repository, and the scope of the credentials: what is hidden from one may be there for another */
  lookups(tenant: string, place: string, list: RevokedList): Lookups;
}

/**
 * In lives: of more than one question asks about, each question asks about a part. The rest is believed meanwhile, so that a long list
 * does not come to be unknown all at once; and if nobody asks for a day, it is not known any more.
 */
const livesOfBelief = 24;

/** Namespaces have few different ones. One of a thousand digests takes sixty kilobytes; it is made in a few milliseconds. */
const maxLists = 64;

/** As many as a number holds that Buffer reads: nobody who does not know the secret does better than to guess. */
const printBytes = 6;

/** Of what was not asked about. */
const never = Number.NEGATIVE_INFINITY;

interface AbsenceRecord {
  readonly place: string;
  readonly prints: Float64Array;
  /** Milliseconds. */
  readonly times: Float64Array;
}

export function createAbsences({ maxBytes, lifeMs, now, secret }: AbsencesOptions): Absences {
  const records = new FairCache<AbsenceRecord>({ maxBytes, idleMs: lifeMs, now });
  const lists = new LRUCache<string, RevokedList>({ max: maxLists });
  const ids = new WeakMap<ReadonlySet<string>, string>();

  function makeList(revoked: ReadonlySet<string>): RevokedList {
    const digests = [...revoked].filter(isDigest).toSorted();
    const id = createHash('sha256').update(digests.join()).digest('base64url');
    const known = lists.get(id);
    if (known !== undefined) return known;
    const printOf = (digest: Digest) =>
      createHash('sha256').update(secret).update(digest).digest().readUIntBE(0, printBytes);
    return {
      id,
      entries: digests.map((digest, index) => ({ digest, index })),
      prints: Float64Array.from(digests, printOf),
    };
  }

  /** One digest more on the list is one lookup more, and not all of them again. */
  function begin(place: string, { prints }: RevokedList): AbsenceRecord {
    const before = new Map<number, number>();
    for (const [, record] of records) {
      if (record.place !== place) continue;
      for (const [index, time] of record.times.entries()) {
        const print = record.prints[index] ?? 0;
        before.set(print, Math.max(before.get(print) ?? never, time));
      }
    }
    return { place, prints, times: prints.map((print) => before.get(print) ?? never) };
  }

  return {
    listOf: (revoked) => {
      const list = lists.get(ids.get(revoked) ?? '') ?? makeList(revoked);
      ids.set(revoked, list.id);
      lists.set(list.id, list);
      return list;
    },
    lookups: (tenant, place, list) => {
      const key = `${place} ${list.id}`;
      const { times } =
        records.get(tenant, key) ?? records.add(tenant, key, begin(place, list), bytesOf(list));
      const timeOf = ({ index }: RevokedEntry) => times[index] ?? never;
      return {
        due: (entries) =>
          entries
            .filter((entry) => !isYoung(timeOf(entry), lifeMs, now()))
            .toSorted((a, b) => (timeOf(a) === timeOf(b) ? a.index - b.index : timeOf(a) - timeOf(b))),
        isBelieved: (entry) => isYoung(timeOf(entry), livesOfBelief * lifeMs, now()),
        note: ({ index }, askedAt) => {
          times[index] = askedAt;
        },
      };
    },
  };
}

/** A typed array, apart from its elements. */
const arrayBytes = 160;

/** Two numbers for each, and their arrays. */
function bytesOf({ prints }: RevokedList): number {
  return 2 * (prints.byteLength + arrayBytes);
}
