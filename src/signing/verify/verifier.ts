// Verifies an image: its tag is resolved once, and from then on only the digest counts. One walk through the referrers
// serves all authorities, keys and attestations. Two steps: examination.ts, then judge.ts.

import type { RegistryClient } from '../../registry/client.ts';
import { formatReference, type ImageReference, repositoryName } from '../../registry/reference.ts';
import { withDeadline } from '../deadline.ts';
import { verificationDeadline } from './deadline.ts';
import { evaluateOnce } from './evaluate-once.ts';
import { examineImage } from './examination.ts';
import type { Examined } from './examine.ts';
import { conclude, concludeExamination } from './judge.ts';
import { defaultVerificationLimits, type VerificationLimits } from './limits.ts';
import { checkPolicy, type VerificationPolicy } from './policy.ts';
import type { Question } from './question.ts';
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
      const deadline = verificationDeadline(request.deadlineMs);
      return withDeadline(deadline, request.signal, (signal) => verifyImage(request, all, signal));
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
  const isEnough = (examined: readonly Examined[]) =>
    request.exhaustive !== true && conclude(examined, question).ok;
  const examination = await examineImage(question, {
    client,
    repository: reference,
    limits,
    signal,
    isEnough,
  });
  return concludeExamination(examination, question);
}
