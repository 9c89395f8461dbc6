// What hangs on an image, told as it tells itself: nothing is verified, so nothing here may decide anything.

import type { RegistryClient } from '../registry/client.ts';
import type { Descriptor } from '../registry/descriptor.ts';
import type { Digest } from '../registry/digest.ts';
import type { ImageReference } from '../registry/reference.ts';
import { SigningError } from './errors.ts';
import type { Bundle } from './format/bundle.ts';
import {
  type Binding,
  parseStatement,
  type SignerName,
  type Statement,
  signPredicateType,
} from './format/statement.ts';
import { readSigningCertificate } from './keyless/signing-certificate.ts';
import { BundleSource } from './verify/fetch.ts';
import type { FoundBundle } from './verify/found.ts';
import { likelyFirst } from './verify/likely-first.ts';
import { defaultVerificationLimits, type VerificationLimits } from './verify/limits.ts';
import { describe } from './verify/report.ts';

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
  readonly inTransparencyLog: boolean;
  /** Why it could not be read as a signature or attestation. */
  readonly problem: string | undefined;
}

export interface Inspection {
  readonly image: Descriptor;
  /** Where the registry keeps the list: its referrers API, or the tag that stands in for it. */
  readonly source: 'api' | 'tag';
  readonly attached: readonly Attached[];
  /** Referrers that were not looked at, because there are too many. */
  readonly notRead: number;
}

/** @throws RegistryError; SigningError; the signal's reason */
export async function inspect(
  client: RegistryClient,
  reference: ImageReference,
  signal: AbortSignal = new AbortController().signal,
  limits: VerificationLimits = defaultVerificationLimits,
): Promise<Inspection> {
  const image = await client.resolve(reference, signal);
  const { descriptors, source } = await client.referrers(reference, image.digest, signal);
  const listed = likelyFirst(descriptors, new Set([signPredicateType])).slice(0, limits.maxReferrers);
  const bundles = new BundleSource(client, { repository: reference, digest: image.digest }, limits, true);
  const attached: Attached[] = [];
  for (let start = 0; start < listed.length; start += limits.maxParallel) {
    const round = listed.slice(start, start + limits.maxParallel);
    attached.push(...(await Promise.all(round.map((each) => bundles.fetch(each, signal)))).map(tell));
  }
  return { image, source, attached, notRead: descriptors.length - listed.length };
}

function tell(found: FoundBundle): Attached {
  if (found.kind === 'unread') return { ...untold(found), problem: found.reason };
  const { bundle } = found;
  const statement = statementOf(bundle);
  if (statement instanceof SigningError) return { ...untold(found), problem: statement.message };
  const { claimed, binding } = describe(found, statement);
  return {
    ...untold(found),
    kind: statement.predicateType === signPredicateType ? 'signature' : 'attestation',
    predicateType: statement.predicateType,
    claims: { ...claimed, ...certified(bundle) },
    binding,
    annotations: statement.annotations,
    timestamps: bundle.timestamps.length,
    inTransparencyLog: bundle.hasTlogEntries,
  };
}

function untold({ manifest, size }: FoundBundle): Attached {
  return {
    manifest,
    kind: 'other',
    size,
    predicateType: undefined,
    claims: {},
    binding: undefined,
    annotations: {},
    timestamps: 0,
    inTransparencyLog: false,
    problem: undefined,
  };
}

function statementOf({ payload }: Bundle): Statement | SigningError {
  try {
    return parseStatement(payload);
  } catch (error) {
    if (error instanceof SigningError) return error;
    throw error;
  }
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
