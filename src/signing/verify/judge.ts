// The second of two steps, and the checklist for an image: every authority, and for each attestation that is asked for every authority again.
//
// More bundles never turn a yes into a no: what is removed, added, copied or re-ordered in a registry can take away what
// was signed, never add to it. Revocation stands in the policy for the same reason.

import { signPredicateType } from '../format/statement.ts';
import type { Examination } from './examination.ts';
import type { Examined } from './examine.ts';
import { type Asked, judgeGroup } from './keyset.ts';
import { byPayload, type SignedPayload } from './payloads.ts';
import type { Authority } from './policy.ts';
import { type Question, signerGroups } from './question.ts';
import { missed, satisfied, whyOthersDoNotCount } from './reasons.ts';
import type { AttestationVerdict, AuthorityVerdict, Verdict } from './verdict.ts';

/**
 * The verdict over an examination: pure, and to be drawn anew whenever one is asked for. Conditions, notAfter and revoked digests
 * are looked at here alone.
 * @param question as the image was examined by, apart from `now`, and by a policy that checkPolicy has seen
 * @throws what the registry threw: what it failed to give might have been the signature that is missing
 */
export function concludeExamination({ examined, failures }: Examination, question: Question): Verdict {
  const verdict = conclude(examined, question);
  if (!verdict.ok && failures.length > 0) throw failures[0];
  return verdict;
}

/** The verdict over bundles that have been examined so far. */
export function conclude(examined: readonly Examined[], question: Question): Verdict {
  const { policy, digest, reference } = question;
  const signatures = examined.map(({ report }) => report);
  const payloads = byPayload(examined.flatMap(({ counted }) => counted ?? []));
  const byAll = (asked: Asked): readonly AuthorityVerdict[] => {
    const { predicateType } = asked;
    const ofType = payloads.filter(({ statement }) => statement.predicateType === predicateType);
    const uncounted = whyOthersDoNotCount(signatures, predicateType);
    return policy.authorities.map((authority) =>
      judgeAuthority(authority, ofType, asked, question, uncounted),
    );
  };

  const authorities = byAll({ predicateType: signPredicateType, condition: undefined });
  const attestations = policy.attestations.map((asked): AttestationVerdict => {
    const { predicateType, condition } = asked;
    const verdicts = byAll(asked);
    return { predicateType, condition: condition?.text, ok: areAllOk(verdicts), authorities: verdicts };
  });
  const ok = areAllOk(authorities) && areAllOk(attestations);
  return { ok, digest, reference, authorities, attestations, signatures };
}

function judgeAuthority(
  authority: Authority,
  payloads: readonly SignedPayload[],
  asked: Asked,
  question: Question,
  uncounted: string,
): AuthorityVerdict {
  const { name, threshold } = authority;
  if (question.policy.revokedDigests.has(question.digest)) {
    const reason = `authority "${name}" is not asked: the policy revokes ${question.digest}, whoever signed it; use another image`;
    return { name, ok: false, code: 'digest-revoked', reason, keysets: [] };
  }
  const keysets = signerGroups(authority).map((group) => judgeGroup(group, payloads, asked, question));
  const holding = keysets.filter(({ ok }) => ok);
  if (holding.length >= threshold) {
    return { name, ok: true, code: 'satisfied', reason: satisfied(authority, holding), keysets };
  }
  const reason = `${missed(authority, keysets)}${uncounted}`;
  return { name, ok: false, code: 'threshold-missed', reason, keysets };
}

function areAllOk(verdicts: readonly { readonly ok: boolean }[]): boolean {
  return verdicts.every(({ ok }) => ok);
}
