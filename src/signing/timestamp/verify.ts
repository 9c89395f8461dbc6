// The time-stamps of any bundle, signed with a key or a certificate: at what times did its signature exist?

import { createSecretKey } from 'node:crypto';
import { bundleFromJSON } from '@sigstore/bundle';
import { type SignedEntity, Verifier } from '@sigstore/verify';
import type { Bundle } from '../format/bundle.ts';
import type { TrustedRoot } from '../keyless/trusted-root.ts';
import { verifiedTimes } from '../keyless/verified-times.ts';
import { entityWithTimes } from './entity.ts';

export type TimestampJudgement =
  | {
      readonly ok: true;
      /** At least one, of authorities of the trusted root. */
      readonly times: readonly Date[];
    }
  | { readonly ok: false; readonly reason: string };

/**
 * Verifies all RFC 3161 time-stamps of the bundle over its signature bytes. Whether the signature itself is valid is not
 * looked at. Log entries are no time-stamps here. One that does not verify makes the answer no: whoever can add one could
 * also take all away.
 */
export function verifyTimestamps(bundle: Bundle, trustedRoot: TrustedRoot, now: Date): TimestampJudgement {
  if (bundle.timestamps.length === 0) return { ok: false, reason: 'it has no time-stamp' };
  if (trustedRoot.material.timestampAuthorities.length === 0)
    return { ok: false, reason: 'the trusted root names no time-stamp authority' };
  try {
    const entity = timestampsOnly(entityWithTimes(bundleFromJSON(bundle.json)));
    const material = { ...trustedRoot.material, publicKey: () => noKey };
    const thresholds = { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: bundle.timestamps.length };
    new Verifier(material, thresholds).verify(entity);
    return { ok: true, times: verifiedTimes(entity, now) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'it cannot be read';
    return { ok: false, reason: `its time-stamps cannot be verified: ${reason}` };
  }
}

/** The library judges whole entities. All of this one but its time-stamps is right whatever it is. */
function timestampsOnly(entity: SignedEntity): SignedEntity {
  const { signature, timestamps } = entity;
  return {
    key: { $case: 'public-key', hint: '' },
    tlogEntries: [],
    timestamps: timestamps.filter(({ $case }) => $case === 'timestamp-authority'),
    signature: {
      signature: signature.signature,
      compareSignature: () => false,
      compareDigest: () => false,
      compareSignedDigest: () => false,
      verifySignature: () => true,
    },
  };
}

/** Nothing is verified with it. */
const noKey = { publicKey: createSecretKey(Buffer.alloc(1)), validFor: () => true };
