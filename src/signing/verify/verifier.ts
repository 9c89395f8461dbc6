// Verifies an image: its tag is resolved once, and from then on only the digest counts. One walk through the referrers
// serves all authorities, keys and attestations.

import type { RegistryClient } from '../../registry/client.ts';
import type { Descriptor } from '../../registry/descriptor.ts';
import { formatReference, type ImageReference, repositoryName } from '../../registry/reference.ts';
import { signPredicateType } from '../format/statement.ts';
import { withDeadline } from './deadline.ts';
import { evaluateOnce } from './evaluate-once.ts';
import { type Examined, examine } from './examine.ts';
import { BundleSource } from './fetch.ts';
import type { FoundBundle } from './found.ts';
import { conclude } from './judge.ts';
import { likelyFirst } from './likely-first.ts';
import { defaultVerificationLimits, type VerificationLimits } from './limits.ts';
import { checkPolicy, type VerificationPolicy } from './policy.ts';
import type { Question } from './question.ts';
import { SignatureChecks } from './signature-checks.ts';
import type { Verdict } from './verdict.ts';

export interface VerificationRequest {
  readonly reference: ImageReference;
  readonly policy: VerificationPolicy;
  readonly client: RegistryClient;
  readonly now: () => Date;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for everything together; undefined: as long as the registry client takes. */
  readonly deadlineMs?: number | undefined;
  /** Reads every referrer, for a complete report, even when the policy is satisfied before. */
  readonly exhaustive?: boolean;
}

export interface Verifier {
  /**
   * Judges an image by a policy. That it is not signed as the policy asks is a verdict; that this cannot be known is an
   * error, which says nothing about the image and must not be remembered.
   * @throws SigningError ERR_VERIFICATION_POLICY_INVALID, ERR_VERIFICATION_DEADLINE; RegistryError; the signal's reason
   */
  verify(request: VerificationRequest): Promise<Verdict>;
}

export function createVerifier(limits: Partial<VerificationLimits> = {}): Verifier {
  const all = { ...defaultVerificationLimits, ...limits };
  return {
    verify: async (request) => {
      checkPolicy(request.policy);
      return withDeadline(request.deadlineMs, request.signal, (signal) => verifyImage(request, all, signal));
    },
  };
}

async function verifyImage(
  request: VerificationRequest,
  limits: VerificationLimits,
  signal: AbortSignal,
): Promise<Verdict> {
  const { reference, client, now } = request;
  const policy = { ...request.policy, attestations: evaluateOnce(request.policy.attestations) };
  const digest = reference.digest ?? (await client.resolve(reference, signal)).digest;
  const question: Question = {
    reference: formatReference(reference),
    digest,
    repository: repositoryName(reference),
    policy,
    now: now(),
  };
  // Revocation needs no registry: it holds when the registry is away, too.
  if (policy.revokedDigests.has(digest)) return conclude([], question);

  const { descriptors } = await client.referrers(reference, digest, signal);
  const wanted = new Set([signPredicateType, ...policy.attestations.map((each) => each.predicateType)]);
  const listed = likelyFirst(descriptors, wanted);
  const source = new BundleSource(
    client,
    { repository: reference, digest },
    limits,
    policy.attestations.length > 0,
  );
  const found = inRounds(listed, limits, (each) => source.fetch(each, signal));
  return judgeAsFound(found, question, request.exhaustive ?? false, limits);
}

/** Fetches a few at a time, so that what comes after them is not fetched when they suffice. */
async function* inRounds(
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

async function judgeAsFound(
  rounds: AsyncIterable<readonly FoundBundle[]>,
  question: Question,
  exhaustive: boolean,
  limits: VerificationLimits,
): Promise<Verdict> {
  const checks = new SignatureChecks(limits.maxSignatureChecks);
  const examined: Examined[] = [];
  const failures: unknown[] = [];
  let verdict = conclude(examined, question);
  for await (const round of rounds) {
    examined.push(...round.map((found) => examine(found, question, checks)));
    failures.push(...round.flatMap((found) => (found.kind === 'unread' ? (found.error ?? []) : [])));
    verdict = conclude(examined, question);
    if (verdict.ok && !exhaustive) return verdict;
  }
  // What the registry failed to give might have been the signature that is missing.
  if (!verdict.ok && failures.length > 0) throw failures[0];
  return verdict;
}
