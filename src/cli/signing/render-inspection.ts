// What `trellis inspect` prints. All of it was written by whoever could write to the repository: nothing of it reaches a
// terminal as it is.

import { escapeInvisible } from '../../model/problem.ts';
import type { Attached, Inspection } from '../../signing/inspect.ts';
import { forTerminal } from '../output.ts';

export function inspectionJson(inspection: Inspection): string {
  return forTerminal(JSON.stringify(inspection, undefined, 2));
}

export function renderInspection(
  repository: string,
  { image, source, attached, notRead }: Inspection,
): string {
  const list = source === 'api' ? 'referrers API' : 'fallback tag; the registry has no referrers API';
  const lines = [
    `${repository}@${image.digest}`,
    `  ${image.mediaType}, ${image.size} bytes`,
    `  ${attached.length + notRead} referrers (${list}); no signature here has been verified`,
  ];
  for (const each of attached) lines.push(...renderAttached(each));
  if (notRead > 0) lines.push(`  ${notRead} more were not looked at: there are too many`);
  return lines.map(escapeInvisible).join('\n');
}

function renderAttached(attached: Attached): readonly string[] {
  const { kind, predicateType, claims, binding, annotations, size, manifest, problem } = attached;
  const bytes = size === undefined ? '' : `, ${size} bytes`;
  if (kind === 'other') return [`  other  ${manifest}${bytes}`, `    ${problem}`];
  const what = kind === 'signature' ? 'signature' : `attestation ${predicateType}`;
  const lines = [`  ${what}  ${manifest}${bytes}`, `    ${claimant(claims)}${evidence(attached)}`];
  if (binding !== undefined) {
    const others = binding.signers.map(({ algorithm }) => algorithm).join(' + ');
    lines.push(
      `    ${others}, for ${binding.reference}, at ${binding.signedAt.toISOString()} by the signer's own clock`,
    );
  } else {
    lines.push('    names neither its signers nor the repository, as signatures by cosign do not');
  }
  lines.push(...timestampLines(attached));
  for (const [key, value] of Object.entries(annotations)) lines.push(`    ${key}=${JSON.stringify(value)}`);
  return lines;
}

function timestampLines({ timestamps, timestampVerdict }: Attached): readonly string[] {
  if (timestamps === 0) return [];
  const what = `${timestamps} time-stamp${timestamps === 1 ? '' : 's'}`;
  if (timestampVerdict === undefined) return [`    ${what}, not verified: give --trusted-root`];
  if (!timestampVerdict.ok) return [`    ${what}, refused: ${timestampVerdict.reason}`];
  const times = timestampVerdict.times.map((time) => time.toISOString()).join(', ');
  return [`    ${what}, verified: the signature existed at ${times}`];
}

function claimant({ algorithm, spkiSha256, issuer, subject }: Attached['claims']): string {
  const key = spkiSha256 === undefined ? 'a key it does not name' : `${algorithm ?? 'a'} key ${spkiSha256}`;
  return subject === undefined ? key : `${subject} (${issuer}), ${key}`;
}

function evidence({ inTransparencyLog }: Attached): string {
  return inTransparencyLog ? ', with an entry of a transparency log' : '';
}
