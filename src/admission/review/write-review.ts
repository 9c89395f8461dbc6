// Answers to the API server: AdmissionReviews (admission.k8s.io/v1) with what was decided, for those who are refused, for those
// who are let through with a warning, and for the audit log.

import { escapeInvisible } from '../../model/problem.ts';
import { type AdmissionDecision, type Finding, isUnanswered } from '../decision.ts';
import type { AdmissionError, AdmissionErrorCode } from '../errors.ts';
import { boundedText, shortenBytes } from '../shorten.ts';
import { warningsOf } from './warnings.ts';

export interface AdmissionReview {
  readonly apiVersion: 'admission.k8s.io/v1';
  readonly kind: 'AdmissionReview';
  readonly response: {
    readonly uid: string;
    readonly allowed: boolean;
    readonly status?: Refusal;
    readonly warnings?: readonly string[];
    readonly auditAnnotations?: Readonly<Record<string, string>>;
    readonly patchType?: 'JSONPatch';
    /** Base64 of the JSON. */
    readonly patch?: string;
  };
}

/** As much of a metav1.Status as says why. */
interface Refusal {
  readonly code: number;
  readonly reason: string;
  readonly message: string;
}

/** The message is shown by kubectl, and stored in the status and the events of whatever makes pods. */
const maxMessageBytes = 4_096;
/** For each annotation; they stand in the audit log with every request. */
const maxAnnotationBytes = 2_048;

/** The policies do not let it be. */
const forbidden = { code: 403, reason: 'Forbidden' };
/**
 * It could not be judged, and the same request may pass later. Without `retryAfterSeconds`: client-go would repeat the request ten
 * times by itself before anyone saw the reason (rest/with_retry.go). Not 504: that a create has timed out means to its clients that
 * the object may be there.
 */
const unavailable = { code: 503, reason: 'ServiceUnavailable' };

const statusOf: Readonly<Record<AdmissionErrorCode, typeof forbidden>> = {
  ERR_REVIEW_INVALID: forbidden,
  ERR_KIND_NOT_JUDGED: forbidden,
  ERR_POD_INVALID: forbidden,
  ERR_POLICIES_UNKNOWN: unavailable,
};

/** Of a decision that allows. */
function allowedReview(uid: string, decision: AdmissionDecision): AdmissionReview {
  const warnings = warningsOf(decision.findings);
  return reviewOf({
    uid,
    allowed: true,
    ...(warnings.length > 0 && { warnings }),
    auditAnnotations: auditAnnotations(decision),
  });
}

/** Of a decision that does not. */
function deniedReview(uid: string, decision: AdmissionDecision): AdmissionReview {
  const enforced = decision.findings.filter(({ enforcement }) => enforcement === 'enforce');
  const warnings = warningsOf(decision.findings);
  return reviewOf({
    uid,
    allowed: false,
    status: { ...(isUnanswered(decision) ? unavailable : forbidden), message: denial(enforced) },
    ...(warnings.length > 0 && { warnings }),
    auditAnnotations: auditAnnotations(decision),
  });
}

/** What was decided, whatever it is. */
export function decisionReview(uid: string, decision: AdmissionDecision): AdmissionReview {
  return decision.allowed ? allowedReview(uid, decision) : deniedReview(uid, decision);
}

/** Of a namespace whose pods are nobody's to judge. */
export function exemptReview(uid: string): AdmissionReview {
  return reviewOf({ uid, allowed: true, auditAnnotations: { decision: 'exempt' } });
}

/** A denial because nothing could be judged. */
export function failedReview(uid: string, { code, message }: AdmissionError): AdmissionReview {
  return reviewOf({
    uid,
    allowed: false,
    status: { ...statusOf[code], message: bounded(`${message} (${code})`) },
  });
}

/** @param patch operations of RFC 6902; none: the object stays as it is */
export function patchReview(uid: string, patch: readonly object[]): AdmissionReview {
  if (patch.length === 0) return reviewOf({ uid, allowed: true });
  const encoded = Buffer.from(JSON.stringify(patch)).toString('base64');
  return reviewOf({ uid, allowed: true, patchType: 'JSONPatch', patch: encoded });
}

function reviewOf(response: AdmissionReview['response']): AdmissionReview {
  return { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response };
}

function denial(enforced: readonly Finding[]): string {
  const [first, ...others] = enforced.map(({ message }) => escapeInvisible(message));
  if (first === undefined) return 'the policies of the mesh do not allow it';
  if (others.length === 0) return bounded(first);
  return bounded([`${enforced.length} reasons:`, first, ...others].join('\n- '));
}

function bounded(message: string): string {
  return shortenBytes(message, maxMessageBytes);
}

/** By names that may follow the name of a webhook and a slash (IsQualifiedName); others are dropped by the API server. */
function auditAnnotations({
  allowed,
  unchanged,
  findings,
  images,
}: AdmissionDecision): Readonly<Record<string, string>> {
  const verdict = allowed ? 'allowed' : 'denied';
  const annotations: Record<string, string> = { decision: unchanged ? 'unchanged' : verdict };
  if (findings.length > 0) {
    annotations['findings'] = annotation(
      findings.map(
        ({ code, enforcement, policy }) => `${code} (${[enforcement, policy].filter(Boolean).join(', ')})`,
      ),
    );
  }
  if (images.length > 0) {
    annotations['images'] = annotation(
      images.map(({ field, decision, digest }) => [field, decision, digest].filter(Boolean).join(' ')),
    );
  }
  return annotations;
}

function annotation(entries: readonly string[]): string {
  return boundedText(entries.join('; '), maxAnnotationBytes);
}
