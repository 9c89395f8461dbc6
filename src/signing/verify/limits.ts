// What one verification may cost. Whoever may push to a repository may hang junk on its images, so each step has an end;
// past it nothing is assumed: what was not looked at has not signed.
//
// Together: at most maxReferrers × (maxManifestBytes + maxSignatureBundleBytes) + maxAttestationBytes are read, 48 MiB.
// Reading hostile JSON takes up to 0.1 µs a byte, so the CPU time is bounded too; a deadline can bound it further.

import { maxBundleBytes } from '../format/bundle.ts';

/** All of them are for one image. */
export interface VerificationLimits {
  /** Referrers that could be bundles and are read, those first that look most like one. */
  readonly maxReferrers: number;
  /** Of one referrer's manifest. */
  readonly maxManifestBytes: number;
  /** Of one bundle that holds a signature. */
  readonly maxSignatureBundleBytes: number;
  /** Of one bundle when the policy asks for attestations: they hold SBOMs. */
  readonly maxAttestationBundleBytes: number;
  /** Of all bundles together that are larger than a signature's: large junk then takes nothing from signatures. */
  readonly maxAttestationBytes: number;
  /** Signatures that are verified, with whatever key. */
  readonly maxSignatureChecks: number;
  /** Referrers that are fetched at the same time, and judged before the next are fetched. */
  readonly maxParallel: number;
}

export const defaultVerificationLimits: VerificationLimits = {
  // Some dozens of signings with two bundles each; above it somebody is flooding, or nobody is tidying up.
  maxReferrers: 128,
  // Twice what a manifest with an inline bundle has.
  maxManifestBytes: 96 * 1024,
  // A hybrid signature with log entry and time-stamps has some 20 KB.
  maxSignatureBundleBytes: 64 * 1024,
  maxAttestationBundleBytes: maxBundleBytes,
  maxAttestationBytes: 28 * 1024 * 1024,
  // As many keys as a payload can name, for each referrer; good bundles need one check. ML-DSA-65 takes 0.2 ms, ECDSA half
  // of it: a fifth of a second.
  maxSignatureChecks: 1024,
  // What an HTTP client opens to one host; a usual image has a few.
  maxParallel: 8,
};
