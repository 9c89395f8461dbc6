// Requests and decisions as the webhook has them.

import type { AdmissionDecision, Finding, ImageFinding } from '../../../../src/admission/decision.ts';
import type { AdmissionRequest } from '../../../../src/admission/review/request.ts';
import type { Clock } from '../../../../src/sources/kubernetes/clock.ts';
import { createMetrics } from '../../../../src/telemetry/metrics.ts';
import { requestOf } from '../../../support/review.ts';

export const controller = {
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  name: 'orders-7d9',
  uid: 'uid-of-orders',
  controller: true,
};

export function podRequest(changes: Partial<AdmissionRequest> = {}): AdmissionRequest {
  const metadata = {
    ...{ name: 'orders-7d9-x', namespace: 'trading', uid: 'uid-of-pod' },
    ownerReferences: [controller],
  };
  return requestOf({ metadata }, { name: undefined, ...changes });
}

export function finding(changes: Partial<Finding> = {}): Finding {
  return {
    code: 'image-not-verified',
    enforcement: 'enforce',
    policy: 'trading/images',
    field: 'spec.containers[0].image',
    message: 'no signature',
    ...changes,
  };
}

export function image(changes: Partial<ImageFinding> = {}): ImageFinding {
  return {
    image: 'registry.example/trading/orders@sha256:0',
    field: 'spec.containers[0].image',
    decision: 'verified',
    digest: 'sha256:0',
    ...changes,
  };
}

export function decision(
  findings: readonly Finding[] = [],
  changes: Partial<AdmissionDecision> = {},
): AdmissionDecision {
  const allowed = !findings.some(({ enforcement }) => enforcement === 'enforce');
  return { allowed, findings, images: [], unchanged: false, ...changes };
}

/** Everybody sleeps as long as they want in no time, but not for ever. @param slept takes how long */
export function hastyClock(slept: number[] = []): Clock {
  let time = 0;
  return {
    now: () => new Date(1_800_000_000_000 + time),
    monotonic: () => time,
    sleep: async (ms) => {
      slept.push(ms);
      time += ms;
      await new Promise(setImmediate);
    },
  };
}

export type Metrics = ReturnType<typeof createMetrics>;

/** The values of a metric that are not 0, by their labels: `{result="sent"}`. */
export async function valuesOf(metrics: Metrics, name: string): Promise<Readonly<Record<string, number>>> {
  const lines = (await metrics.registry.getSingleMetricAsString(name)).split('\n');
  const values = lines
    .filter((line) => line.startsWith(name) && !line.startsWith('#'))
    .map((line): [string, number] => {
      const [label = '', value = ''] = line.slice(name.length).split(/ (?=[^ ]*$)/);
      return [label, Number(value)];
    });
  return Object.fromEntries(values.filter(([, value]) => value !== 0));
}

export { createMetrics };
