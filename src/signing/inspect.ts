// What hangs on an image, told as it tells itself. No signature is verified, so nothing here may decide anything; time-stamps are,
// where a trusted root is given.

import type { RegistryClient } from '../registry/client.ts';
import type { Descriptor } from '../registry/descriptor.ts';
import type { Digest } from '../registry/digest.ts';
import type { ImageReference } from '../registry/reference.ts';
import type { Bundle } from './format/bundle.ts';
import { type Binding, type SignerName, signPredicateType } from './format/statement.ts';
import { readSigningCertificate } from './keyless/signing-certificate.ts';
import type { TrustedRoot } from './keyless/trusted-root.ts';
import { type TimestampJudgement, verifyTimestamps } from './timestamp/verify.ts';
import { inRounds } from './verify/examination.ts';
import { BundleSource } from './verify/fetch.ts';
import type { FoundBundle } from './verify/found.ts';
import { likelyFirst } from './verify/likely-first.ts';
import { defaultVerificationLimits, type VerificationLimits } from './verify/limits.ts';
import { describe, statementOf } from './verify/report.ts';

export interface Attached {
  /** Digest of the referrer's manifest. */
  readonly manifest: Digest;
  readonly kind: 'signature' | 'attestation' | 'other';
  /** Bytes of the bundle, where there is one. */
  readonly size: number | undefined;
  readonly predicateType: string | undefined;
  /** Whose it claims to be: a key, or the identity in a certificate. */
  readonly claims: Partial<SignerName> & { readonly issuer?: string; readonly subject?: string };
  readonly binding: Binding | undefined;
  readonly annotations: Readonly<Record<string, string>>;
  readonly timestamps: number;
  /** When the signature existed; undefined where there are no time-stamps, or no trusted root to verify them with. */
  readonly timestampVerdict: TimestampJudgement | undefined;
  readonly inTransparencyLog: boolean;
  /** Why it could not be read as a signature or attestation. */
  readonly problem: string | undefined;
}

export interface Inspection {
  readonly image: Descriptor;
  /** Where the registry keeps the list: its referrers API, or the tag that stands in for it. */
  readonly source: 'api' | 'tag';
  /** Each referrer once. */
  readonly attached: readonly Attached[];
  /** Referrers that may be signatures and were not looked at, because there are too many. */
  readonly notRead: number;
}

export interface InspectOptions {
  readonly client: RegistryClient;
  readonly reference: ImageReference;
  readonly now: () => Date;
  /** Time-stamps are verified with it. */
  readonly trustedRoot?: TrustedRoot | undefined;
  readonly signal?: AbortSignal;
  readonly limits?: VerificationLimits;
}

/** @throws RegistryError; SigningError; the signal's reason */
export async function inspect(options: InspectOptions): Promise<Inspection> {
  const { client, reference, limits = defaultVerificationLimits } = options;
  const { signal = new AbortController().signal } = options;
  const image = await client.resolve(reference, signal);
  const { descriptors, source } = await client.referrers(reference, image.digest, signal);
  const likely = likelyFirst(descriptors, new Set([signPredicateType]));
  const bundles = new BundleSource(client, { repository: reference, digest: image.digest }, limits, true);
  const found: FoundBundle[] = [];
  for await (const round of inRounds(likely, limits, (each) => bundles.fetch(each, signal)))
    found.push(...round);
  const read = found.slice(0, limits.maxReferrers);
  return {
    image,
    source,
    attached: [...read.map((each) => tell(each, options)), ...others(descriptors, likely)],
    notRead: found.length - read.length,
  };
}

/** What cannot be a bundle, by what the list says of it: SBOMs, signatures of other tools, images. */
function others(all: readonly Descriptor[], likely: readonly Descriptor[]): readonly Attached[] {
  const known = new Set(likely.map(({ digest }) => digest));
  const distinct = new Map(all.map((each) => [each.digest, each]));
  return [...distinct.values()]
    .filter(({ digest }) => !known.has(digest))
    .map(({ digest, artifactType, mediaType }) => ({
      ...untold(digest, undefined),
      problem: `of type ${artifactType ?? mediaType}, which is no signature or attestation that Trellis reads`,
    }));
}

function tell(found: FoundBundle, { trustedRoot, now }: InspectOptions): Attached {
  const { manifest, size } = found;
  if (found.kind === 'unread') return { ...untold(manifest, size), problem: found.reason };
  const { bundle } = found;
  const statement = statementOf(bundle);
  if ('code' in statement) return { ...untold(manifest, size), problem: statement.reason };
  const { claimed, binding } = describe(found, statement);
  const verifiable = trustedRoot !== undefined && bundle.timestamps.length > 0;
  return {
    ...untold(manifest, size),
    kind: statement.predicateType === signPredicateType ? 'signature' : 'attestation',
    predicateType: statement.predicateType,
    claims: { ...claimed, ...certified(bundle) },
    binding,
    annotations: statement.annotations,
    timestamps: bundle.timestamps.length,
    timestampVerdict: verifiable ? verifyTimestamps(bundle, trustedRoot, now()) : undefined,
    inTransparencyLog: bundle.hasTlogEntries,
  };
}

function untold(manifest: Digest, size: number | undefined): Attached {
  return {
    manifest,
    kind: 'other',
    size,
    predicateType: undefined,
    claims: {},
    binding: undefined,
    annotations: {},
    timestamps: 0,
    timestampVerdict: undefined,
    inTransparencyLog: false,
    problem: undefined,
  };
}

/** Whom the certificate names; nothing where it cannot be read. */
function certified({ material }: Bundle): Attached['claims'] {
  const [leaf] = material.kind === 'certificate' ? material.chain : [];
  if (leaf === undefined) return {};
  try {
    const { issuer, subject, publicKey } = readSigningCertificate(leaf);
    return { issuer, subject, algorithm: publicKey.algorithm, spkiSha256: publicKey.spkiSha256 };
  } catch {
    return {};
  }
}
