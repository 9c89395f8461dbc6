// What admission has to say about an object, and whether it may be.

import type { NamespacedName } from '../model/mesh.ts';
import type { Enforcement } from '../policy/enforcement.ts';

/** Why something is denied, warned of or recorded. The names are stable: metrics, reports and tests use them. */
export const findingCodes = [
  /** The text is no image reference. */
  'image-invalid',
  /** A policy covers the image of a Pod, and it is named by a tag. */
  'image-not-digest',
  /** A policy is about images, and the image of a Pod is named without its registry. */
  'image-not-qualified',
  /** The rule that matches denies it, none matches, or no authority can be satisfied. */
  'image-denied',
  /** It lacks a signature, or an attestation, that is asked for. */
  'image-not-verified',
  'image-revoked',
  /** Its registry answers that there is no such image, so that no kubelet with the same credentials could pull it either. */
  'image-not-found',
  /** The registry, a key management service, or the time: says nothing about the image. */
  'image-unknown',
  /** Keys, a trusted root or a condition of a policy are of no use: says nothing about the image, and stays so. */
  'policy-unusable',
  'sidecar-missing',
  /** What bears the name of the sidecar is not what this mesh injects. */
  'sidecar-altered',
  /** A container that is not the sidecar mounts what only the sidecar may. */
  'identity-exposed',
  'host-network',
  'host-processes',
  'shared-processes',
  'privileged',
  'capability',
  'proxy-uid',
  /** Of a protocol that the mesh does not carry. */
  'unprotected-port',
  /** The policies contradict each other. */
  'policy-conflict',
  /** A profile that the data plane cannot keep. */
  'compliance-not-enforceable',
] as const;

export type FindingCode = (typeof findingCodes)[number];

export interface Finding {
  readonly code: FindingCode;
  /** Of the policy, or `warn` where the finding is only for information. */
  readonly enforcement: Enforcement;
  /** Undefined where it is none's alone. */
  readonly policy: NamespacedName | undefined;
  /** In the object: `spec.containers[0].image`. */
  readonly field: string | undefined;
  /** A sentence: what is wrong, by which policy, and what to do next. Quotes what the author wrote escaped. */
  readonly message: string;
}

/** How one image came off, for metrics and reports. */
export interface ImageFinding {
  /** As it is written in the object. */
  readonly image: string;
  readonly field: string;
  readonly decision: 'verified' | 'allowed' | 'denied' | 'no-policy' | 'unknown' | 'invalid';
  /** What was judged. */
  readonly digest: string | undefined;
}

export interface AdmissionDecision {
  /** No finding of what is enforced. */
  readonly allowed: boolean;
  /** Those that are enforced first. */
  readonly findings: readonly Finding[];
  readonly images: readonly ImageFinding[];
  /** Allowed without being judged, because nothing that matters has changed. */
  readonly unchanged: boolean;
}

/**
 * Denied for nothing but what could not be judged: that says nothing about the object, and later it may pass. That there is no such
 * image is an answer: whoever asks again gets the same until somebody pushes it, or corrects the name.
 */
export function isUnanswered({
  allowed,
  findings,
}: Pick<AdmissionDecision, 'allowed' | 'findings'>): boolean {
  const enforced = findings.filter(({ enforcement }) => enforcement === 'enforce');
  return (
    !allowed &&
    enforced.some(({ code }) => isNotJudged(code)) &&
    // A tag that could not be resolved could not be pinned either.
    enforced.every(({ code }) => isNotJudged(code) || code === 'image-not-digest')
  );
}

/** Whether it is that something could not be judged, which says nothing about the object. */
export function isNotJudged(code: FindingCode): boolean {
  return code === 'image-unknown' || code === 'policy-unusable';
}
