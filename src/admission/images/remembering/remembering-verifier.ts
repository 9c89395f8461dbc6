// A verifier that remembers what signatures it has checked, and shares looks with those who ask at the same time. The verdict is
// drawn by the question's own policy and clock every time. A yes needs no more than the signatures that make it; a no counts only
// when there was nothing more to see.

import { formatReference, repositoryName } from '../../../registry/reference.ts';
import { conclude, concludeExamination } from '../../../signing/verify/judge.ts';
import type { Question } from '../../../signing/verify/question.ts';
import type { Verdict } from '../../../signing/verify/verdict.ts';
import type { VerificationRequest, Verifier } from '../../../signing/verify/verifier.ts';
import type { Company, Look, Visit, Wanted } from '../turns/looks.ts';
import type { ConditionOutcomes } from './condition-outcomes.ts';
import type { ExaminationCache } from './examination-cache.ts';
import type { FingerprintOf } from './fingerprint.ts';

export interface RememberingVerifierOptions {
  readonly cache: ExaminationCache;
  /** As the cache has it. */
  readonly outcomes: ConditionOutcomes;
  readonly fingerprintOf: FingerprintOf;
  /** Of the one question that this verifier is for. */
  readonly visit: Visit;
  readonly count: (what: 'hit' | 'miss') => void;
}

/** From the cheapest to the one whose answer is final. */
const companies: readonly Company[] = ['any', 'fresh', 'alone'];

export function rememberingVerifier(options: RememberingVerifierOptions): Verifier {
  const { cache, outcomes, fingerprintOf, visit, count } = options;

  /** Undefined: another look may find more. */
  async function draw(
    look: Look,
    wanted: Wanted,
    company: Company,
    signal: AbortSignal | undefined,
  ): Promise<Verdict | undefined> {
    const { question, fingerprint } = wanted;
    try {
      const examination = await look.examination;
      const verdict = concludeExamination(examination, question);
      if (verdict.ok) cache.keep({ ...question, fingerprint }, examination, look.startedAt);
      const isFinal = company === 'alone' || (look.isFresh && examination.isComplete);
      return verdict.ok || isFinal ? verdict : undefined;
    } catch (error) {
      if (look.isFresh || signal?.aborted === true) throw error;
      return undefined;
    }
  }

  async function examine(
    question: Question,
    { reference, signal }: VerificationRequest,
    fingerprint: string,
  ): Promise<Verdict> {
    const isEnough: Wanted['isEnough'] = (examined) => {
      cache.recognise({ ...question, fingerprint }, examined);
      return conclude(examined, question).ok;
    };
    const wanted = { question, repository: reference, fingerprint, isEnough };
    for (const company of companies) {
      signal?.throwIfAborted();
      const verdict = await draw(visit.look(wanted, company), wanted, company, signal);
      if (verdict !== undefined) return verdict;
    }
    throw new Error('a look of one’s own is final');
  }

  return {
    verify: async (request) => {
      const { reference, client, policy, now, signal } = request;
      // Refuses policies that cannot mean anything.
      const fingerprint = fingerprintOf(policy);
      const digest = reference.digest ?? (await client.resolve(reference, signal)).digest;
      const question: Question = {
        ...{ reference: formatReference(reference), digest, repository: repositoryName(reference) },
        policy: { ...policy, attestations: outcomes.remembering(policy.attestations) },
        now: now(),
      };
      const known = cache.get({ ...question, fingerprint });
      const verdict = known && concludeExamination(known, question);
      if (known !== undefined && question.policy.attestations.length > 0) {
        cache.weigh({ ...question, fingerprint });
      }
      count(verdict?.ok === true ? 'hit' : 'miss');
      return verdict?.ok === true ? verdict : await examine(question, request, fingerprint);
    },
  };
}
