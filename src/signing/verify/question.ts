// What is asked, in the form that the judgement works with.

import type { Digest } from '../../registry/digest.ts';
import type { SignerName } from '../format/statement.ts';
import type { Authority, KeylessVerifier, Keyset, VerificationPolicy } from './policy.ts';

/** What is to be judged, by what, and when. */
export interface Question {
  /** As the user wrote it, for the verdict. */
  readonly reference: string;
  /** Of the image: what its reference named when it was resolved. */
  readonly digest: Digest;
  /** `registry/path` that the image was asked for under. */
  readonly repository: string;
  readonly policy: VerificationPolicy;
  readonly now: Date;
}

/** Who must sign one payload together. */
export interface SignerGroup {
  /** Undefined: the certificate alone. */
  readonly keyset: Keyset | undefined;
  readonly keyless: KeylessVerifier | undefined;
}

/** The groups of signers of an authority, of which as many as its threshold must have signed. */
export function signerGroups({ keysets, keyless }: Authority): readonly SignerGroup[] {
  if (keysets.length === 0) return [{ keyset: undefined, keyless }];
  return keysets.map((keyset) => ({ keyset, keyless }));
}

/** How messages name a key: short, and found again in the output of `trellis key`. */
export function keyLabel({ algorithm, spkiSha256 }: SignerName): string {
  return `${algorithm} key ${spkiSha256.slice(0, shownKeyDigits)}`;
}

const shownKeyDigits = 12;
