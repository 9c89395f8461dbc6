// Requests and decisions as the webhook has them, and an API server in memory.

import type { AdmissionDecision, Finding, ImageFinding } from '../../../../src/admission/decision.ts';
import type { AdmissionRequest } from '../../../../src/admission/review/request.ts';
import type { KubeClient, KubeRequest } from '../../../../src/sources/kubernetes/cluster/client.ts';
import { createMetrics } from '../../../../src/telemetry/metrics.ts';

export const controller = {
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  name: 'orders-7d9',
  uid: 'uid-of-orders',
  controller: true,
};

export function podRequest(changes: Partial<AdmissionRequest> = {}): AdmissionRequest {
  return {
    uid: 'request',
    operation: 'CREATE',
    kind: { group: '', version: 'v1', kind: 'Pod' },
    subResource: undefined,
    namespace: 'trading',
    name: undefined,
    object: {
      metadata: {
        name: 'orders-7d9-x',
        namespace: 'trading',
        uid: 'uid-of-pod',
        ownerReferences: [controller],
      },
    },
    oldObject: undefined,
    dryRun: false,
    ...changes,
  };
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

export type Handler = (request: KubeRequest) => unknown;

/** Answers every request by `handle`, which may throw or wait. */
export class FakeKube implements KubeClient {
  readonly requests: KubeRequest[] = [];
  handle: Handler;

  constructor(handle: Handler = () => ({})) {
    this.handle = handle;
  }

  async json(request: KubeRequest): Promise<unknown> {
    this.requests.push(request);
    return await this.handle(request);
  }

  stream(): Promise<never> {
    return Promise.reject(new Error('nothing is watched'));
  }

  async close(): Promise<void> {}
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
