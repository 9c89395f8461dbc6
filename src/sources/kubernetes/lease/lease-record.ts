// Leases of coordination.k8s.io/v1 as they are read and written.

import { z } from 'zod';
import { KubernetesError } from '../errors.ts';

const lease = z.object({
  metadata: z.object({ resourceVersion: z.string().min(1) }),
  spec: z
    .object({
      holderIdentity: z.string().nullish(),
      leaseDurationSeconds: z.int().min(1).max(3_600).nullish(),
      acquireTime: z.string().nullish(),
      leaseTransitions: z.int().nullish(),
    })
    .nullish(),
});

export interface LeaseRecord {
  /** Changes with every write, which is how others see that the holder lives. */
  readonly resourceVersion: string;
  /** Empty when it was given back. */
  readonly holder: string;
  /** What its holder promised; undefined when it does not say. */
  readonly durationMs: number | undefined;
  readonly acquireTime: string | undefined;
  readonly transitions: number;
}

/** @throws KubernetesError ERR_KUBE_PROTOCOL */
export function parseLease(answer: unknown): LeaseRecord {
  const { success, data } = lease.safeParse(answer);
  if (!success)
    throw new KubernetesError('ERR_KUBE_PROTOCOL', 'the answer is no Lease of coordination.k8s.io/v1');
  const { metadata, spec } = data;
  return {
    resourceVersion: metadata.resourceVersion,
    holder: spec?.holderIdentity ?? '',
    durationMs: spec?.leaseDurationSeconds == null ? undefined : spec.leaseDurationSeconds * 1_000,
    acquireTime: spec?.acquireTime ?? undefined,
    transitions: spec?.leaseTransitions ?? 0,
  };
}

export interface LeaseWrite {
  readonly namespace: string;
  readonly name: string;
  /** Of the version that is replaced: any other, and the server refuses. Absent to create it. */
  readonly resourceVersion: string | undefined;
  readonly holder: string;
  readonly durationMs: number;
  readonly acquireTime: string;
  readonly renewTime: string;
  readonly transitions: number;
}

export function encodeLease(write: LeaseWrite): object {
  const { namespace, name, resourceVersion } = write;
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { namespace, name, ...(resourceVersion !== undefined && { resourceVersion }) },
    spec: {
      holderIdentity: write.holder,
      leaseDurationSeconds: Math.ceil(write.durationMs / 1_000),
      acquireTime: write.acquireTime,
      renewTime: write.renewTime,
      leaseTransitions: write.transitions,
    },
  };
}

/** Kubernetes' MicroTime has exactly six digits. */
export function microTime(date: Date): string {
  return date.toISOString().replace(/Z$/, '000Z');
}
