// What verification commands print.

import pc from 'picocolors';
import type { ImageDecision, JudgedImage, RequirementVerdict } from '../../admission/images/judge-image.ts';
import { escapeInvisible } from '../../model/problem.ts';
import { signPredicateType } from '../../signing/format/statement.ts';
import type { SignatureReport } from '../../signing/verify/verdict.ts';

export function renderImage(judged: JudgedImage): string {
  const { image, decision, digest, requirements, signatures, counted } = judged;
  const lines = [`${heads[decision]()}  ${image}`];
  if (digest !== undefined && !image.includes(digest)) lines.push(`  digest: ${digest}`);
  if (requirements.length === 0) lines.push('  no policy speaks about it');
  for (const each of requirements) lines.push(...renderRequirement(each, requirements.length > 1));
  for (const report of signatures) {
    // Good by itself, but of a keyset that has ended, is not whole, or is not asked: it would look like a reason.
    const counts = report.ok && counted.has(report.manifest);
    if (counts) lines.push(`  ${escapeInvisible(renderSignature(report))}`);
  }
  return lines.join('\n');
}

const notVerified = () => pc.red('NOT VERIFIED');
const heads: Readonly<Record<ImageDecision, () => string>> = {
  verified: () => pc.green('verified'),
  allowed: () => pc.yellow('allowed, not verified'),
  denied: notVerified,
  'no-policy': notVerified,
  unknown: notVerified,
};

function renderRequirement(
  { requirement, outcome, reasons }: RequirementVerdict,
  named: boolean,
): readonly string[] {
  const { name, kind, enforcement } = requirement;
  if (outcome === 'satisfied' && kind === 'verify') return [];
  const soft = enforcement === 'enforce' ? '' : ` (only ${enforcement})`;
  const prefix = named || kind !== 'verify' || soft !== '' ? `${name}${soft}: ` : '';
  return reasons.map((reason) => `  ${escapeInvisible(`${prefix}${reason}`)}`);
}

/** One good signature: whose, and what it says of itself. */
function renderSignature({
  algorithm,
  spkiSha256,
  identity,
  binding,
  predicateType,
}: SignatureReport): string {
  const who = identity === undefined ? `key ${spkiSha256}` : `${identity.subject} (${identity.issuer})`;
  const what = predicateType === signPredicateType ? 'signed by' : `${predicateType} by`;
  const when =
    binding === undefined ? '' : `, at ${binding.signedAt.toISOString()} by the signer's own clock`;
  return `${what} ${algorithm} ${who}${when}`;
}

export function imageJson({ image, decision, ok, digest, requirements, signatures }: JudgedImage) {
  return {
    image,
    ok,
    decision,
    digest: digest ?? null,
    requirements: requirements.map(
      ({ requirement: { name, enforcement, kind }, outcome, reasons, verdict }) => ({
        name,
        enforcement,
        action: kind,
        ok: outcome === 'satisfied',
        outcome,
        reasons,
        ...(verdict && { authorities: verdict.authorities, attestations: verdict.attestations }),
      }),
    ),
    signatures,
  };
}
