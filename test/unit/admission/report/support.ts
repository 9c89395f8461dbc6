// Requests and decisions as the webhook has them.

import type { AdmissionContext } from '../../../../src/admission/context.ts';
import type { AdmissionDecision, Finding, ImageFinding } from '../../../../src/admission/decision.ts';
import type { ImageJudge } from '../../../../src/admission/images/image-judge.ts';
import type { JudgedImage } from '../../../../src/admission/images/judge-image.ts';
import type { AdmissionRequest } from '../../../../src/admission/review/request.ts';
import { anonymous } from '../../../../src/registry/auth/credentials.ts';
import { parseReference, repositoryName } from '../../../../src/registry/reference.ts';
import type { Clock } from '../../../../src/sources/kubernetes/clock.ts';
import { createMetrics } from '../../../../src/telemetry/metrics.ts';
import { requestOf } from '../../../support/review.ts';
import { FakeRegistry } from '../../signing/verify/fake-registry.ts';
import { contextOf } from '../decide/support.ts';

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

/** Registries are asked about every image, and those of `unknown` ones have no answer. */
const answering: ImageJudge = {
  judge: async ({ reference }) => {
    const outcome = repositoryName(reference).includes('/unknown/') ? 'unknown' : 'satisfied';
    return { requirements: [{ outcome, reasons: [] }] } as unknown as JudgedImage;
  },
  ...{ mustBeDigest: () => false, needsRegistry: () => true },
  resolve: () => Promise.reject(new Error('not asked')),
};

/** Of judges that decide by themselves. */
export function contextWith(judge: ImageJudge = answering): AdmissionContext {
  return contextOf(new FakeRegistry(), [], { judge });
}

/** Asks about all images of a decision, which cannot be known before. */
export async function askAbout(
  { images }: AdmissionDecision,
  { uid, namespace }: AdmissionRequest,
  { judge }: AdmissionContext,
  signal: AbortSignal,
): Promise<void> {
  const others = {
    ...{ policies: [], credentials: { scope: 'nobody', source: anonymous }, signal },
    asker: { tenant: namespace, request: uid },
  };
  for (const { image: name, decision: decided } of images) {
    const [path = ''] = name.split('@');
    await judge.judge({ ...others, reference: parseReference(`registry.example/${decided}/${path}`) });
  }
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
