// What is said about one object that was judged.

import pc from 'picocolors';
import {
  type AdmissionDecision,
  type Finding,
  type ImageFinding,
  isUnanswered,
} from '../../admission/decision.ts';
import { escapeInvisible } from '../../model/problem.ts';
import type { PodManifest } from './pod-manifests.ts';

export const verdicts = [
  'allowed',
  'warned',
  'denied',
  /** An API server would deny it, for nothing but a policy that cannot be used: to try again does not help. */
  'unusable',
  /** An API server would deny it now, for nothing but what could not be asked: another try may be answered. */
  'unknown',
] as const;
export type Verdict = (typeof verdicts)[number];

export function verdictOf(decision: AdmissionDecision): Verdict {
  const { allowed, findings } = decision;
  if (!allowed && !isUnanswered(decision)) return 'denied';
  if (!allowed) return findings.some(isUnusable) ? 'unusable' : 'unknown';
  return findings.some(({ enforcement }) => enforcement === 'warn') ? 'warned' : 'allowed';
}

function isUnusable({ code, enforcement }: Finding): boolean {
  return code === 'policy-unusable' && enforcement === 'enforce';
}

/** Lines. What they quote is escaped; only their own colours act on a terminal. */
export function renderDecision(name: string, decision: AdmissionDecision): string {
  const lines = [`${heads[verdictOf(decision)]()}  ${escapeInvisible(name)}`];
  for (const { code, enforcement, field, message } of decision.findings) {
    const soft = enforcement === 'enforce' ? '' : `${softly[enforcement]}: `;
    const where = field === undefined || message.startsWith(field) ? '' : `${field}: `;
    lines.push(`  ${escapeInvisible(`${soft}${where}${message} (${code})`)}`);
  }
  for (const { field, image, decision: came, digest } of decision.images) {
    const label = imageLabels[came];
    if (label === undefined) continue;
    const as = digest === undefined || image.includes(digest) ? '' : ` (${digest})`;
    lines.push(`  ${escapeInvisible(`${label}: ${field}: ${image}${as}`)}`);
  }
  return lines.join('\n');
}

const heads: Readonly<Record<Verdict, () => string>> = {
  allowed: () => pc.green('allowed'),
  warned: () => pc.yellow('allowed, with warnings'),
  denied: () => pc.red('DENIED'),
  unusable: () => pc.red('NOT JUDGED'),
  unknown: () => pc.red('NOT KNOWN'),
};

const softly: Readonly<Record<Exclude<Finding['enforcement'], 'enforce'>, string>> = {
  warn: 'warning',
  audit: 'recorded',
};

/** Findings tell of the others. */
const imageLabels: Readonly<Partial<Record<ImageFinding['decision'], string>>> = {
  verified: 'verified',
  allowed: 'allowed without a signature',
  // Whoever has named the wrong namespace finds out by this alone.
  'no-policy': 'no policy speaks about images of the namespace',
};

/** For `--json`: of each finding every field. */
export function findingsJson({ findings }: Pick<AdmissionDecision, 'findings'>) {
  return findings.map(({ code, enforcement, policy, field, message }) => ({
    ...{ code, enforcement, policy, field, message },
  }));
}

/** Of `trellis admit --json`. */
export function decisionJson(manifest: PodManifest, decision: AdmissionDecision) {
  return {
    ...objectJson(manifest),
    verdict: verdictOf(decision),
    findings: findingsJson(decision),
    images: decision.images.map(({ field, image, decision: came, digest }) => ({
      ...{ field, image, decision: came, digest },
    })),
  };
}

/** Which one it is. */
export function objectJson({ file, line, request: { kind, namespace, name } }: PodManifest) {
  return { kind: kind.kind, namespace, name, file, line };
}
