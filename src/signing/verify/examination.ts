// The first of two steps: what hangs on an image is fetched, and each signature checked. This is what costs requests and CPU
// time, and what may be remembered. What a verification asks for by the hour (notAfter, revocation of digests) or of
// predicates (conditions) is left to the second step, which is in judge.ts.

import type { RegistryClient } from '../../registry/client.ts';
import type { Descriptor } from '../../registry/descriptor.ts';
import type { Repository } from '../../registry/reference.ts';
import { signPredicateType } from '../format/statement.ts';
import { type Examined, examine } from './examine.ts';
import { BundleSource } from './fetch.ts';
import type { FoundBundle } from './found.ts';
import { likelyFirst } from './likely-first.ts';
import type { VerificationLimits } from './limits.ts';
import type { Question } from './question.ts';
import { SignatureChecks } from './signature-checks.ts';

/**
 * What is on an image, by the keys, revoked keys, bindReference, annotations and predicate types of one policy: it says nothing
 * under another one. It counts certificates by the KeylessVerifier object that accepted them.
 */
export interface Examination {
  readonly examined: readonly Examined[];
  /** What the registry threw for referrers that it listed; any of them may be the signature that is missing. */
  readonly failures: readonly unknown[];
  /** False: reading stopped because there was enough. A "no" that is drawn from it later needs another look. */
  readonly isComplete: boolean;
}

export interface ExaminationOptions {
  readonly client: RegistryClient;
  /** Where the image is. */
  readonly repository: Repository;
  readonly limits: VerificationLimits;
  readonly signal: AbortSignal;
  /** Asked after every few bundles: whether the rest need not be read. */
  readonly isEnough: (examined: readonly Examined[]) => boolean;
}

/** @throws RegistryError when the list of referrers cannot be had; the signal's reason */
export async function examineImage(question: Question, options: ExaminationOptions): Promise<Examination> {
  const { client, repository, limits, signal, isEnough } = options;
  const { digest, policy } = question;
  const { descriptors } = await client.referrers(repository, digest, signal);
  const wanted = new Set([signPredicateType, ...policy.attestations.map((each) => each.predicateType)]);
  const listed = likelyFirst(descriptors, wanted);
  const source = new BundleSource(client, { repository, digest }, limits, policy.attestations.length > 0);

  const checks = new SignatureChecks(limits.maxSignatureChecks);
  const examined: Examined[] = [];
  const failures: unknown[] = [];
  for await (const round of inRounds(listed, limits, (each) => source.fetch(each, signal))) {
    examined.push(...round.map((found) => examine(found, question, checks)));
    failures.push(...round.flatMap((found) => (found.kind === 'unread' ? (found.error ?? []) : [])));
    if (isEnough(examined)) return { examined, failures, isComplete: false };
  }
  return { examined, failures, isComplete: true };
}

/** Fetches a few at a time, so that what comes after them is not fetched when they suffice. */
export async function* inRounds(
  listed: readonly Descriptor[],
  { maxReferrers, maxParallel }: VerificationLimits,
  fetch: (descriptor: Descriptor) => Promise<FoundBundle>,
): AsyncGenerator<readonly FoundBundle[]> {
  const read = listed.slice(0, maxReferrers);
  for (let start = 0; start < read.length; start += maxParallel) {
    yield await Promise.all(read.slice(start, start + maxParallel).map(fetch));
  }
  const reason = `it was not read: the image has ${listed.length} referrers that may be signatures, and ${maxReferrers} are read at most (maxReferrers); remove junk from the repository`;
  yield listed
    .slice(maxReferrers)
    .map(({ digest }) => ({ kind: 'unread', manifest: digest, size: undefined, code: 'over-limit', reason }));
}
