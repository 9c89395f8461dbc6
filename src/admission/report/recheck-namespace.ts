// Judges the pods that run in one namespace as if they were made now.

import { isRecord, ownField } from '../../model/manifest.ts';
import type { Clock } from '../../sources/kubernetes/clock.ts';
import type { KubeClient } from '../../sources/kubernetes/cluster/client.ts';
import { pagesOf } from '../../sources/kubernetes/cluster/pages.ts';
import { isKubernetesError } from '../../sources/kubernetes/errors.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { AdmissionDecision, ImageFinding } from '../decision.ts';
import type { AdmissionRequest } from '../review/request.ts';
import { Pace } from './pace.ts';
import { ReportCollector, type ReportContent } from './policy-report.ts';
import {
  notJudged,
  type Outcome,
  type PodReference,
  type ReportResult,
  resultsOf,
  worstOutcome,
} from './report-results.ts';

/** As judgeRequest, under the policies of the moment. */
export type Judge = (request: AdmissionRequest, signal: AbortSignal) => Promise<AdmissionDecision>;

export interface NamespaceLimits {
  /** Registries are asked about so many images in a second, less those that are known to be verified. */
  readonly imagesPerSecond: number;
  /** Judged at the same time: a registry that hangs must not hold up all others. */
  readonly parallelPods: number;
  /** For one pod. */
  readonly podMs: number;
  /** Pods of one page, some 10 KB each … */
  readonly pagePods: number;
  /** … unless their authors want to be in the way: then pages get smaller. */
  readonly maxPageBytes: number;
}

export interface NamespaceRecheckOptions {
  readonly client: KubeClient;
  readonly judge: Judge;
  readonly limits: NamespaceLimits;
  readonly metrics: Pick<Metrics, 'recheckImages'>;
  /** Called before each page. @throws what ends the round */
  readonly mayGoOn: () => void;
  /** A pod that could not be judged; the first of a namespace is worth a log line. */
  readonly failed: (namespace: string, error: unknown) => void;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly random: () => number;
}

export interface RecheckedNamespace {
  /** Undefined: nothing to say. */
  readonly content: ReportContent | undefined;
  /** Pods, by the worst that was found. */
  readonly pods: Readonly<Record<Outcome, number>>;
}

/** One for a whole round: its pace is that of all namespaces together. */
export class NamespaceRecheck {
  readonly #options: NamespaceRecheckOptions;
  readonly #pace: Pace;

  constructor(options: NamespaceRecheckOptions) {
    this.#options = options;
    this.#pace = new Pace({ ...options, imagesPerSecond: options.limits.imagesPerSecond });
  }

  /** @throws KubernetesError; what `mayGoOn` throws; the signal's reason */
  async run(namespace: string): Promise<RecheckedNamespace> {
    const progress: Progress = {
      namespace,
      collector: new ReportCollector(),
      pods: { fail: 0, error: 0, warn: 0, pass: 0, skip: 0 },
      done: new Set(),
      verified: new Set(),
      failed: false,
    };
    let limit = this.#options.limits.pagePods;
    for (;;) {
      const before = progress.done.size;
      try {
        await this.#judgePages(progress, limit);
        return { content: progress.collector.content(), pods: progress.pods };
      } catch (error) {
        // Judging a page took longer than the API server remembers the list: on from a new one.
        const expired = isKubernetesError(error, 'ERR_KUBE_EXPIRED') && progress.done.size > before;
        const tooLarge = isKubernetesError(error, 'ERR_KUBE_TOO_LARGE') && limit > 1;
        if (!expired && !tooLarge) throw error;
        if (tooLarge) limit = Math.ceil(limit / 10);
      }
    }
  }

  async #judgePages(progress: Progress, limit: number): Promise<void> {
    const { client, limits, signal, mayGoOn } = this.#options;
    const path = `/api/v1/namespaces/${encodeURIComponent(progress.namespace)}/pods`;
    const pages = pagesOf({ kind: 'Pod', path }, { client, signal, limit, maxBytes: limits.maxPageBytes });
    for await (const { items } of pages) {
      mayGoOn();
      const pods = items
        .map(readPod)
        .filter((pod) => pod !== undefined)
        .filter(({ uid }) => !progress.done.has(uid));
      const results = await this.#judgeAll(pods, progress);
      // In their order, whichever was judged first: the same pods make the same report.
      for (const [index, pod] of pods.entries()) {
        const found = results[index] ?? [];
        progress.done.add(pod.uid);
        progress.collector.add(pod, found);
        progress.pods[worstOutcome(found)] += 1;
      }
    }
  }

  async #judgeAll(pods: readonly Pod[], progress: Progress): Promise<readonly (readonly ReportResult[])[]> {
    const results: (readonly ReportResult[])[] = [];
    const rest = pods.entries();
    const workers = Array.from({ length: this.#options.limits.parallelPods }, async () => {
      for (const [index, pod] of rest) results[index] = await this.#judgePod(pod, progress);
    });
    await Promise.all(workers);
    return results;
  }

  async #judgePod(pod: Pod, progress: Progress): Promise<readonly ReportResult[]> {
    const { judge, signal, limits, metrics, failed } = this.#options;
    await this.#pace.ready(signal);
    signal.throwIfAborted();
    try {
      const decision = await judge(
        asCreated(pod),
        AbortSignal.any([signal, AbortSignal.timeout(limits.podMs)]),
      );
      for (const { decision: outcome } of decision.images) metrics.recheckImages.inc({ decision: outcome });
      this.#pace.spent(asked(decision.images, progress.verified));
      return resultsOf(pod, decision);
    } catch (error) {
      signal.throwIfAborted();
      if (!progress.failed) failed(progress.namespace, error);
      progress.failed = true;
      this.#pace.spent(1);
      return [notJudged(pod, error)];
    }
  }
}

interface Progress {
  readonly namespace: string;
  readonly collector: ReportCollector;
  readonly pods: Record<Outcome, number>;
  /** UIDs of pods that were judged. */
  readonly done: Set<string>;
  /** Images that are in the judge's cache by now. */
  readonly verified: Set<string>;
  failed: boolean;
}

interface Pod extends PodReference {
  readonly object: AdmissionRequest['object'];
}

/** Undefined for what has run to its end. */
function readPod(object: unknown): Pod | undefined {
  if (!isRecord(object)) return undefined;
  const metadata = ownField(object, 'metadata');
  const [namespace, name, uid] = ['namespace', 'name', 'uid'].map((key) => ownField(metadata, key));
  const phase = ownField(ownField(object, 'status'), 'phase');
  if (phase === 'Succeeded' || phase === 'Failed') return undefined;
  if (typeof namespace !== 'string' || typeof name !== 'string' || typeof uid !== 'string') return undefined;
  // Lists leave out what their items are.
  return { namespace, name, uid, object: { ...object, apiVersion: 'v1', kind: 'Pod' } };
}

function asCreated({ namespace, name, uid, object }: Pod): AdmissionRequest {
  return {
    ...{ uid, operation: 'CREATE', namespace, name, object, dryRun: true },
    kind: { group: '', version: 'v1', kind: 'Pod' },
    ...{ subResource: undefined, oldObject: undefined },
  };
}

/** How many a registry was asked about: only what is verified is remembered, and what no signature is demanded of costs nothing. */
function asked(images: readonly ImageFinding[], verified: Set<string>): number {
  let count = 0;
  for (const { decision, image } of images) {
    const costs = decision === 'denied' || decision === 'unknown' || decision === 'verified';
    if (costs && !verified.has(image)) count += 1;
    if (decision === 'verified') verified.add(image);
  }
  return count;
}
