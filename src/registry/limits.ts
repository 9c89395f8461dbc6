// What a registry may cost us. A registry is not trusted: every answer has an end, in bytes, entries and time.

import { defaultManifestLimits, type ManifestLimits } from './manifest.ts';

export interface RegistryLimits {
  readonly manifest: ManifestLimits;
  /** Descriptors of all pages of a referrers list. */
  readonly maxReferrers: number;
  readonly maxReferrerPages: number;
  /** All pages together. Annotations of referrers are in it, which whoever may push can make long. */
  readonly maxReferrerListBytes: number;
  /** How long the origin may take to add to a mirror's list of referrers. */
  readonly originListMs: number;
  readonly maxRedirects: number;
  /** Attempts at one request, the first one included. */
  readonly maxAttempts: number;
  /** The longest pause between two attempts; a registry that asks for a longer one gets none. */
  readonly maxPauseMs: number;
  /** Requests to one registry at the same time. */
  readonly maxConcurrency: number;
  readonly connectMs: number;
  /** From the last byte of the request to the headers of the answer. */
  readonly headersMs: number;
  /** Between two pieces of a body. */
  readonly idleMs: number;
  /** A whole request; bodies get more by their size. */
  readonly requestMs: number;
  /** A body that comes slower than this, all in all, is not waited for. */
  readonly minBytesPerSecond: number;
  /** Attempts at the fallback index, when others write to it too. */
  readonly maxIndexAttempts: number;
  /** How long another writer of the fallback index may take from reading to writing. */
  readonly settleMs: number;
}

export const defaultRegistryLimits: RegistryLimits = {
  manifest: defaultManifestLimits,
  // An image has a few; a thousand is somebody's junk, and still answered.
  maxReferrers: 4_096,
  maxReferrerPages: 64,
  maxReferrerListBytes: 16 * 1024 * 1024,
  // Mirrors stand where the origin may be out of reach for good: admission has ten seconds for everything.
  originListMs: 3_000,
  // Registry, storage, and a region in between.
  maxRedirects: 5,
  maxAttempts: 4,
  maxPauseMs: 20_000,
  maxConcurrency: 8,
  connectMs: 10_000,
  headersMs: 30_000,
  idleMs: 15_000,
  requestMs: 60_000,
  minBytesPerSecond: 16 * 1024,
  maxIndexAttempts: 10,
  settleMs: 250,
};
