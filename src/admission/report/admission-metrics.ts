// What admission did, in metrics. Labels come from lists; what others chose (names, images) is in none.

import type { Metrics } from '../../telemetry/metrics.ts';
import type { AdmissionDecision } from '../decision.ts';
import type { ImageJudgeStats } from '../images/create-image-judge.ts';
import { type JudgedKind, judgedKinds } from '../pod/judged-kinds.ts';
import type { AdmissionRequest } from '../review/request.ts';

export type AdmissionMetrics = Pick<
  Metrics,
  'admissionRequests' | 'admissionDuration' | 'admissionFindings' | 'admissionImages'
>;

type Webhook = 'validate' | 'mutate';

/** What the validating webhook answered. @param seconds from question to answer */
export function recordDecision(
  metrics: AdmissionMetrics,
  request: AdmissionRequest,
  { allowed, unchanged, findings, images }: AdmissionDecision,
  seconds: number,
): void {
  const judged = allowed ? 'allowed' : 'denied';
  observe(metrics, 'validate', request, unchanged ? 'unchanged' : judged, seconds);
  for (const { code, enforcement } of findings) metrics.admissionFindings.inc({ code, enforcement });
  for (const { decision } of images) metrics.admissionImages.inc({ decision });
}

/** What the mutating webhook answered. */
export function recordMutation(
  metrics: AdmissionMetrics,
  request: AdmissionRequest,
  patched: boolean,
  seconds: number,
): void {
  observe(metrics, 'mutate', request, patched ? 'patched' : 'allowed', seconds);
}

/** Let through without a look. */
export function recordExempt(
  metrics: AdmissionMetrics,
  webhook: Webhook,
  request: AdmissionRequest,
  seconds: number,
): void {
  observe(metrics, webhook, request, 'exempt', seconds);
}

/** No answer could be given. @param request undefined where it could not even be read */
export function recordFailure(
  metrics: AdmissionMetrics,
  webhook: Webhook,
  request: AdmissionRequest | undefined,
  seconds: number,
): void {
  observe(metrics, webhook, request, 'failed', seconds);
}

type Result = 'allowed' | 'denied' | 'unchanged' | 'patched' | 'exempt' | 'failed';

function observe(
  { admissionRequests, admissionDuration }: AdmissionMetrics,
  webhook: Webhook,
  request: AdmissionRequest | undefined,
  result: Result,
  seconds: number,
): void {
  admissionRequests.inc({ webhook, kind: kindOf(request), result });
  admissionDuration.observe({ webhook }, seconds);
}

function kindOf(request: AdmissionRequest | undefined): JudgedKind['kind'] | 'other' {
  return judgedKinds.find(({ kind }) => kind === request?.kind.kind)?.kind ?? 'other';
}

/** Takes over what the judge of images counts itself; to be called before metrics are read. */
export function imageJudgeMetrics(
  metrics: Pick<
    Metrics,
    | 'imageCacheHits'
    | 'imageCacheMisses'
    | 'imageCacheBytes'
    | 'imageCacheEntries'
    | 'imageLooks'
    | 'registryRequests'
  >,
): (stats: ImageJudgeStats) => void {
  let before = { hits: 0, misses: 0, registryRequests: 0 };
  return (stats) => {
    metrics.imageCacheHits.inc({}, stats.hits - before.hits);
    metrics.imageCacheMisses.inc({}, stats.misses - before.misses);
    metrics.registryRequests.inc({}, stats.registryRequests - before.registryRequests);
    before = stats;
    metrics.imageCacheBytes.set({}, stats.bytes);
    metrics.imageCacheEntries.set({}, stats.entries);
    metrics.imageLooks.set({}, stats.looksUnderWay);
  };
}
