// For whom images are pulled: whose credentials count.

import type { Pod } from './read-pod.ts';

export interface PullIdentity {
  readonly namespace: string;
  /** `default` where the pod names none. */
  readonly serviceAccountName: string;
  /** Names of Secrets of the namespace, in the order of the pod; empty: those of the service account. */
  readonly imagePullSecrets: readonly string[];
}

export function pullIdentityOf(namespace: string, { spec }: Pod): PullIdentity {
  return {
    namespace,
    serviceAccountName: spec.serviceAccountName || spec.serviceAccount || 'default',
    // An entry without a name, which old objects may have, names nothing.
    imagePullSecrets: spec.imagePullSecrets.flatMap(({ name }) => (name ? [name] : [])),
  };
}
