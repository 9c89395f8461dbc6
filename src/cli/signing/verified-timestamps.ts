// Time-stamps that nobody can verify are not written: whoever needs them would find out years later.

import { SigningError } from '../../signing/errors.ts';
import { parseBundle } from '../../signing/format/bundle.ts';
import type { TrustedRoot } from '../../signing/keyless/trusted-root.ts';
import type { SigningParty } from '../../signing/sign/party.ts';
import { verifyTimestamps } from '../../signing/timestamp/verify.ts';

/** The same party, whose bundles fail with SigningError ERR_TIMESTAMP_NOT_VERIFIED unless their time-stamps verify. */
export function verifiedTimestamps(
  party: SigningParty,
  trustedRoot: TrustedRoot,
  now: () => Date,
): SigningParty {
  return {
    publicKey: party.publicKey,
    bundle: async (payload, signal) => {
      const bytes = await party.bundle(payload, signal);
      const verdict = verifyTimestamps(parseBundle(bytes), trustedRoot, now());
      if (verdict.ok) return bytes;
      throw new SigningError(
        'ERR_TIMESTAMP_NOT_VERIFIED',
        `the time-stamp that --timestamp gave is refused under --trusted-root, and nothing was written: ${verdict.reason}`,
      );
    },
  };
}
