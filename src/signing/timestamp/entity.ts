// Time-stamps for Sigstore's library, which reads times with three decimals or none: DER has no trailing zeros, so one
// time-stamp in ten of an authority that counts milliseconds, and all of one that counts finer, would be none.

import type { Bundle } from '@sigstore/bundle';
import { type SignedEntity, toSignedEntity } from '@sigstore/verify';
import { checkTimestampResponse } from './response.ts';

/**
 * The entity of a document. Its time-stamps have been read strictly, and their times are those of the strict reader.
 * @throws CryptoError ERR_DER
 */
export function entityWithTimes(document: Bundle): SignedEntity {
  const tokens = document.verificationMaterial.timestampVerificationData?.rfc3161Timestamps ?? [];
  const times = tokens.map(({ signedTimestamp }) => checkTimestampResponse(signedTimestamp).time);
  const entity = toSignedEntity(document);
  const timestamps = entity.timestamps.map((found) => {
    if (found.$case !== 'timestamp-authority') return found;
    // In the order of the document. Only the time is replaced: what verifies is the library's.
    const signingTime = { value: times.shift() };
    return { ...found, timestamp: Object.create(found.timestamp, { signingTime }) as typeof found.timestamp };
  });
  return { ...entity, timestamps };
}
