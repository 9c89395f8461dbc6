// The checklist for an image: every authority, and for each attestation that is asked for every authority again.
//
// More bundles never turn a yes into a no: what is removed, added, copied or re-ordered in a registry can take away what
// was signed, never add to it. Revocation stands in the policy for the same reason.

import { signPredicateType } from '../format/statement.ts';
import { type Examined, examine } from './examine.ts';
import type { FoundBundle } from './found.ts';
import { type Condition, judgeGroup } from './keyset.ts';
import { byPayload, type SignedPayload } from './payloads.ts';
import { type Authority, checkPolicy } from './policy.ts';
import { type Question, signerGroups } from './question.ts';
import { missed, satisfied, whyOthersDoNotCount } from './reasons.ts';
import type { SignatureChecks } from './signature-checks.ts';
import type { AttestationVerdict, AuthorityVerdict, Verdict } from './verdict.ts';

/** Judges all that was found on an image. @throws SigningError ERR_VERIFICATION_POLICY_INVALID */
export function judge(found: readonly FoundBundle[], question: Question, checks: SignatureChecks): Verdict {
  const examined = found.map((each) => examine(each, question, checks));
  return conclude(examined, question);
}

/** The verdict over bundles that have been examined. @throws SigningError ERR_VERIFICATION_POLICY_INVALID */
export function conclude(examined: readonly Examined[], question: Question): Verdict {
  const { policy, digest, reference } = question;
  checkPolicy(policy);
  const signatures = examined.map(({ report }) => report);
  const payloads = byPayload(examined.flatMap(({ counted }) => counted ?? []));
  const byAll = (predicateType: string, condition: Condition): readonly AuthorityVerdict[] => {
    const asked = payloads.filter(({ statement }) => statement.predicateType === predicateType);
    const uncounted = whyOthersDoNotCount(signatures, predicateType);
    return policy.authorities.map((authority) =>
      judgeAuthority(authority, asked, condition, question, uncounted),
    );
  };

  const authorities = byAll(signPredicateType, undefined);
  const attestations = policy.attestations.map(({ predicateType, condition }): AttestationVerdict => {
    const verdicts = byAll(predicateType, condition);
    return { predicateType, condition: condition?.text, ok: areAllOk(verdicts), authorities: verdicts };
  });
  const ok = areAllOk(authorities) && areAllOk(attestations);
  return { ok, digest, reference, authorities, attestations, signatures };
}

function judgeAuthority(
  authority: Authority,
  payloads: readonly SignedPayload[],
  condition: Condition,
  question: Question,
  uncounted: string,
): AuthorityVerdict {
  const { name, threshold } = authority;
  if (question.policy.revokedDigests.has(question.digest)) {
    const reason = `authority "${name}" is not asked: the policy revokes ${question.digest}, whoever signed it; use another image`;
    return { name, ok: false, code: 'digest-revoked', reason, keysets: [] };
  }
  const keysets = signerGroups(authority).map((group) => judgeGroup(group, payloads, condition, question));
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
