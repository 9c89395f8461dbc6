// What was found hanging on an image: bundles that could be read, and why the rest could not.

import type { Digest } from '../../registry/digest.ts';
import type { Bundle } from '../format/bundle.ts';

/** Why a referrer gave no bundle. The names are stable. */
export type UnreadCode =
  /** An artifact of another kind; none of our business. */
  | 'foreign'
  /** The registry listed it for this image, but it names another one. */
  | 'other-subject'
  /** The registry lists it and does not have it. */
  | 'missing'
  /** Its manifest, or what the registry gave for it, is malformed. */
  | 'malformed'
  /** Its bundle is malformed, or of a form that Trellis does not read. */
  | 'bundle-invalid'
  /** Not looked at: a limit was reached. */
  | 'over-limit'
  /** The registry failed to give it; it may be good. */
  | 'unavailable';

interface FoundReferrer {
  /** Digest of the referrer's manifest. */
  readonly manifest: Digest;
  /** Bytes of the bundle; undefined when it is not known. */
  readonly size: number | undefined;
}

export interface ReadBundle extends FoundReferrer {
  readonly kind: 'bundle';
  readonly bundle: Bundle;
}

export interface UnreadReferrer extends FoundReferrer {
  readonly kind: 'unread';
  readonly code: UnreadCode;
  /** One sentence without a full stop. */
  readonly reason: string;
  /** What the registry client threw, where the code is `unavailable`. */
  readonly error?: unknown;
}

export type FoundBundle = ReadBundle | UnreadReferrer;
