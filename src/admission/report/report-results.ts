// What a policy report says about one pod. The fields are the same in openreports.io/v1alpha1 and wgpolicyk8s.io/v1alpha2.

import type { Enforcement } from '../../policy/enforcement.ts';
import {
  type AdmissionDecision,
  type Finding,
  type FindingCode,
  type ImageFinding,
  isNotJudged,
} from '../decision.ts';
import { AdmissionError } from '../errors.ts';
import { boundedText } from '../shorten.ts';

/** In the words of the Policy Working Group: `warn` is what a policy does not allow and lets in, `error` what could not be judged. */
export type Outcome = 'fail' | 'error' | 'warn' | 'pass' | 'skip';

/** The worst first. */
export const outcomes: readonly Outcome[] = ['fail', 'error', 'warn', 'pass', 'skip'];

/** How many of each, to begin with. */
export function noOutcomes(): Record<Outcome, number> {
  return { fail: 0, error: 0, warn: 0, pass: 0, skip: 0 };
}

export interface PodReference {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export interface ReportResult {
  readonly source: 'trellis';
  /** `<namespace>/<name>`, or `trellis` where it is none's alone. */
  readonly policy: string;
  readonly rule: string;
  readonly category: string;
  readonly severity: 'critical' | 'high' | 'medium' | 'low' | 'info';
  readonly result: Outcome;
  readonly scored: boolean;
  readonly message: string;
  /** One: what reads reports shows the first. */
  readonly resources: readonly [object];
  readonly properties: Readonly<Record<string, string>>;
}

/** A sentence or three. Results are many, and an object of the API server has 1.5 MB. */
const maxMessageBytes = 1_000;
const maxPropertyBytes = 500;

type Kind = Pick<ReportResult, 'category' | 'severity'>;

const images = (severity: Kind['severity']): Kind => ({ category: 'Image verification', severity });
const runtime = (severity: Kind['severity']): Kind => ({ category: 'Mesh', severity });

const kinds: Readonly<Record<FindingCode, Kind>> = {
  'image-invalid': images('high'),
  'image-not-digest': images('medium'),
  'image-not-qualified': images('medium'),
  'image-denied': images('high'),
  'image-not-verified': images('high'),
  'image-revoked': images('critical'),
  'image-not-found': images('medium'),
  'image-unknown': images('medium'),
  'policy-unusable': images('high'),
  'sidecar-missing': runtime('high'),
  'sidecar-altered': runtime('critical'),
  'identity-exposed': runtime('critical'),
  'host-network': runtime('high'),
  'host-processes': runtime('high'),
  'shared-processes': runtime('high'),
  privileged: runtime('high'),
  capability: runtime('high'),
  'proxy-uid': runtime('high'),
  'unprotected-port': runtime('low'),
  'policy-conflict': runtime('medium'),
  'compliance-not-enforceable': runtime('medium'),
};

/** One for each finding; where there is none, one that says that the pod passed, or that no policy is about its images. */
export function resultsOf(pod: PodReference, decision: AdmissionDecision): readonly ReportResult[] {
  if (decision.findings.length === 0) return [clean(pod, decision.images)];
  // A pod may have thousands of containers, and as many findings.
  const byField = new Map(decision.images.map((image) => [image.field, image]));
  return decision.findings.map((finding) => fromFinding(pod, finding, byField));
}

/** A pod that could not be judged at all. Of an error that was not made for the readers of the namespace, they learn nothing. */
export function notJudged(pod: PodReference, error: unknown): ReportResult {
  return unjudged(
    pod,
    error instanceof AdmissionError ? error.message : 'the log of the admission controller says why',
  );
}

/** A pod before whose turn the time of its namespace was over. */
export function notComeTo(pod: PodReference): ReportResult {
  return unjudged(
    pod,
    'the time for its namespace was over before its turn came; the next round begins with those that were left over',
  );
}

function unjudged(pod: PodReference, reason: string): ReportResult {
  return {
    ...common(pod, `this pod could not be judged again: ${reason}`),
    ...{ policy: 'trellis', rule: 'not-judged', category: 'Image verification', severity: 'medium' },
    ...{ result: 'error', scored: false, properties: {} },
  };
}

export function worstOutcome(results: readonly ReportResult[]): Outcome {
  return outcomes.find((outcome) => results.some(({ result }) => result === outcome)) ?? 'skip';
}

function clean(pod: PodReference, found: readonly ImageFinding[]): ReportResult {
  const count = (decision: ImageFinding['decision']) =>
    found.filter((image) => image.decision === decision).length;
  const [verified, allowed] = [count('verified'), count('allowed')];
  const covered = verified + allowed > 0;
  const message = covered
    ? `images verified: ${verified}; let in by a rule that asks for no signature: ${allowed}`
    : 'no policy is about the images of this pod';
  return {
    ...common(pod, message),
    ...{ policy: 'trellis', rule: 'images', category: 'Image verification', severity: 'info' },
    ...{ result: covered ? 'pass' : 'skip', scored: covered, properties: {} },
  };
}

function fromFinding(
  pod: PodReference,
  { code, enforcement, policy, field, message }: Finding,
  byField: ReadonlyMap<string, ImageFinding>,
): ReportResult {
  const image = field === undefined ? undefined : byField.get(field);
  return {
    ...common(pod, message),
    ...{ policy: policy ?? 'trellis', rule: code, ...kinds[code] },
    ...{ result: outcomeOf(code, enforcement), scored: enforcement === 'enforce' },
    properties: {
      enforcement,
      ...(field !== undefined && { field: boundedText(field, maxPropertyBytes) }),
      ...(image !== undefined && { image: boundedText(image.image, maxPropertyBytes) }),
      ...(image?.digest !== undefined && { digest: boundedText(image.digest, maxPropertyBytes) }),
    },
  };
}

function outcomeOf(code: FindingCode, enforcement: Enforcement): Outcome {
  if (isNotJudged(code)) return 'error';
  return enforcement === 'enforce' ? 'fail' : 'warn';
}

function common(pod: PodReference, message: string): Pick<ReportResult, 'source' | 'message' | 'resources'> {
  const { namespace, name, uid } = pod;
  return {
    source: 'trellis',
    message: boundedText(message, maxMessageBytes),
    resources: [{ apiVersion: 'v1', kind: 'Pod', namespace, name, uid }],
  };
}
