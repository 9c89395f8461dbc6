// What verification commands print.

import pc from 'picocolors';
import { escapeInvisible } from '../../model/problem.ts';
import { signPredicateType } from '../../signing/format/statement.ts';
import type { SignatureReport } from '../../signing/verify/verdict.ts';
import type { JudgedImage, MetDemand } from './judge-image.ts';

export function renderImage({ image, ok, digest, demands, signatures }: JudgedImage): string {
  const head = ok ? pc.green('verified') : pc.red('NOT VERIFIED');
  const lines = [`${head}  ${image}`];
  if (digest !== undefined && !image.includes(digest)) lines.push(`  digest: ${digest}`);
  if (demands.length === 0) lines.push('  no policy speaks about it');
  for (const demand of demands) lines.push(...renderDemand(demand, demands.length > 1));
  for (const report of signatures) {
    if (report.ok) lines.push(`  ${escapeInvisible(renderSignature(report))}`);
  }
  return lines.join('\n');
}

function renderDemand({ demand, ok, reasons }: MetDemand, named: boolean): readonly string[] {
  if (ok && demand.kind === 'verify') return [];
  const soft = demand.enforcement === 'enforce' ? '' : ` (only ${demand.enforcement})`;
  const prefix = named || demand.kind !== 'verify' || soft !== '' ? `${demand.name}${soft}: ` : '';
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

export function imageJson({ image, ok, digest, demands, signatures }: JudgedImage) {
  return {
    image,
    ok,
    digest: digest ?? null,
    demands: demands.map(({ demand, ok: met, reasons, verdict }) => ({
      name: demand.name,
      enforcement: demand.enforcement,
      action: demand.kind,
      ok: met,
      reasons,
      ...(verdict && { authorities: verdict.authorities, attestations: verdict.attestations }),
    })),
    signatures,
  };
}
