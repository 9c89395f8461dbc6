// The times at which a signature provably existed, and whether they are of any use.

import type { SignedEntity } from '@sigstore/verify';
import { Refused } from './refused.ts';
import type { TrustedRoot } from './trusted-root.ts';

/** How far a log's or a time-stamp authority's clock may be ahead of ours. */
const maxAheadMilliseconds = 5 * 60_000;

/**
 * The times of an entity that Sigstore's library has verified: those of time-stamps, and those of log entries that the
 * log signed. One that only an inclusion proof came with is anybody's word, and is none of them.
 * @throws Refused when one lies in the future
 */
export function verifiedTimes({ timestamps }: SignedEntity, now: Date): readonly Date[] {
  const times: Date[] = [];
  for (const found of timestamps) {
    if (found.$case === 'timestamp-authority') times.push(found.timestamp.signingTime);
    else if (found.tlogEntry.inclusionPromise !== undefined)
      times.push(new Date(Number(found.tlogEntry.integratedTime) * 1000));
  }
  if (times.length === 0) throw new Refused('nothing proves when it was signed');
  const latest = now.getTime() + maxAheadMilliseconds;
  // Not a number, as a date that could not be read has, is refused with it.
  const strange = times.find((time) => !(time.getTime() <= latest));
  if (strange !== undefined)
    throw new Refused(
      'a log or time-stamp authority says it was signed in the future; check the clocks, this one too',
    );
  return times;
}

/**
 * Every log that vouches for the entry had its key in use when the signature was made. The library asks that only of
 * entries with a time of their own; with the key of a log that was retired, one could be made at any later time.
 * @throws Refused
 */
export function checkLogKeys(
  { tlogEntries }: SignedEntity,
  times: readonly Date[],
  { material }: TrustedRoot,
): void {
  for (const { logId } of tlogEntries) {
    const keys = material.tlogs.filter(({ logID }) => logID.equals(logId.keyId));
    const inUse = keys.some(({ validFor: { start, end } }) =>
      times.every((time) => start <= time && time <= end),
    );
    if (!inUse) throw new Refused("the transparency log's key was not in use when it was signed");
  }
}
