// What to do about a finding, for whoever is told. The judgement is the same in a cluster and at a command line; the way out is not.

import { orIsHidden } from '../registry/errors.ts';

/** Each ends a sentence that says what is wrong. */
export interface Advice {
  /** A registry, a key management service or the time did not let something be known. */
  readonly notKnown: string;
  /** A registry says that there is no such image, or does not let it be seen: it says the same in both cases. */
  readonly notFound: string;
  /** A policy, or what it refers to, is of no use. */
  readonly policyUnusable: string;
  /** What the mutating webhook writes into a pod (digests, full names) is not there. */
  readonly notWritten: string;
  /** Policies ask for a sidecar, and none is injected. */
  readonly noSidecar: string;
}

/** To the author of a policy that cannot be used. */
export const policyAdvice = 'correct it, or the ConfigMap that it refers to (policy-unusable)';

/** For who is denied by a cluster, and for those whom he asks: they alone see its webhook. */
export const clusterAdvice: Advice = {
  notKnown:
    'try again; if it stays so, have those who run the webhook see whether it reaches the registry, with the pull secrets of the pod, and within timeoutSeconds of the webhook configurations',
  notFound: `${orIsHidden}: then see the pull secrets of the pod`,
  policyUnusable: 'have those who keep the policy correct it, or the ConfigMap that it refers to',
  notWritten: 'or see why the mutating webhook has not (of pods with hostNetwork it changes nothing)',
  noSidecar:
    'have the policy ask for less, or switch injection on with the value sidecar.image of the chart (--sidecar-image of trellis webhook)',
};
