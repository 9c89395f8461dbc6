// Judges the pods that run in one namespace as if they were made now.

import type { Clock } from '../../sources/kubernetes/clock.ts';
import type { KubeClient } from '../../sources/kubernetes/cluster/client.ts';
import { pagesOf } from '../../sources/kubernetes/cluster/pages.ts';
import { isKubernetesError } from '../../sources/kubernetes/errors.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { AdmissionContext } from '../context.ts';
import type { judgeRequest } from '../judge-request.ts';
import { AskedImages } from './asked-images.ts';
import { Pace } from './pace.ts';
import { ReportCollector, type ReportContent } from './policy-report.ts';
import {
  noOutcomes,
  notComeTo,
  notJudged,
  type Outcome,
  type ReportResult,
  resultsOf,
  worstOutcome,
} from './report-results.ts';
import { asCreated, type RunningPod, readRunningPod } from './running-pod.ts';

export interface NamespaceLimits {
  /** Registries are asked about so many images in a second, less those that were asked about before. */
  readonly imagesPerSecond: number;
  /** Judged at the same time: a registry that hangs must not hold up all others. */
  readonly parallelPods: number;
  /** For one pod. */
  readonly podMs: number;
  /**
   * For the pods of one namespace in one round: whoever makes pods chooses their registries, and those may hang. What is left over
   * then is the first of the next round.
   */
  readonly namespaceMs: number;
  /** Images of one namespace: remembered until the next one, so that none that did not pass is asked about twice. */
  readonly rememberedImages: number;
  /** Pods of one page, some 10 KB each … */
  readonly pagePods: number;
  /** … unless their authors want to be in the way: then pages get smaller. */
  readonly maxPageBytes: number;
}

export interface NamespaceRecheckOptions {
  readonly client: KubeClient;
  /** Of the moment. */
  readonly context: () => AdmissionContext;
  readonly judge: typeof judgeRequest;
  readonly limits: NamespaceLimits;
  readonly metrics: Pick<Metrics, 'recheckImages'>;
  /** Called before each page. @throws what ends the round */
  readonly mayGoOn: () => void;
  /** The first pod of a namespace that could not be judged, and how many were not come to: worth a log line. */
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
  /** The name of the first pod that was not come to; undefined: all were. */
  readonly stoppedAt: string | undefined;
}

/** A page that is too large is asked for again with so many times fewer pods. */
const pageShrink = 10;

/** The time of a namespace was over. */
class OutOfTime extends Error {}

/** One for a whole round: its pace is that of all namespaces together. */
export class NamespaceRecheck {
  readonly #options: NamespaceRecheckOptions;
  readonly #pace: Pace;

  constructor(options: NamespaceRecheckOptions) {
    this.#options = options;
    this.#pace = new Pace({ ...options, imagesPerSecond: options.limits.imagesPerSecond });
  }

  /**
   * @param from the name of the pod to begin with: where the round before has stopped
   * @throws KubernetesError; what `mayGoOn` throws; the signal's reason
   */
  async run(namespace: string, from?: string): Promise<RecheckedNamespace> {
    const { limits, signal, clock } = this.#options;
    // What was asked for the namespace before must not use up the time of this one.
    await this.#pace.ready(signal);
    const progress: Progress = {
      namespace,
      collector: new ReportCollector(),
      pods: noOutcomes(),
      done: new Set(),
      images: new AskedImages(limits.rememberedImages),
      endsAtMs: clock.monotonic() + limits.namespaceMs,
      ...{ pagePods: limits.pagePods, hasBegun: false, hasFailed: false },
      ...{ notComeTo: 0, stoppedAt: undefined },
    };
    // Lists cannot be asked for from a name on: they are gone through twice.
    if (from !== undefined) await this.#judgeAllOf(progress, ({ name }) => name >= from);
    await this.#judgeAllOf(progress, () => true);
    this.#tellOfRest(progress);
    return {
      content: progress.collector.content(),
      ...{ pods: progress.pods, stoppedAt: progress.stoppedAt },
    };
  }

  async #judgeAllOf(progress: Progress, isMeant: (pod: RunningPod) => boolean): Promise<void> {
    for (;;) {
      const before = progress.done.size;
      try {
        return await this.#judgePages(progress, isMeant);
      } catch (error) {
        // Judging a page took longer than the API server remembers the list: on from a new one.
        const expired = isKubernetesError(error, 'ERR_KUBE_EXPIRED') && progress.done.size > before;
        const tooLarge = isKubernetesError(error, 'ERR_KUBE_TOO_LARGE') && progress.pagePods > 1;
        if (!expired && !tooLarge) throw error;
        if (tooLarge) progress.pagePods = Math.ceil(progress.pagePods / pageShrink);
      }
    }
  }

  async #judgePages(progress: Progress, isMeant: (pod: RunningPod) => boolean): Promise<void> {
    const { client, limits, signal, mayGoOn } = this.#options;
    const path = `/api/v1/namespaces/${encodeURIComponent(progress.namespace)}/pods`;
    const pages = pagesOf(
      { kind: 'Pod', path },
      { client, signal, limit: progress.pagePods, maxBytes: limits.maxPageBytes },
    );
    for await (const { items } of pages) {
      mayGoOn();
      const pods = items
        .map(readRunningPod)
        .filter((pod) => pod !== undefined)
        .filter((pod) => isMeant(pod) && !progress.done.has(pod.uid));
      const results = await this.#judgeAll(pods, progress);
      // In their order, whichever was judged first: the same pods make the same report.
      for (const [index, pod] of pods.entries()) {
        const found = results[index] ?? leaveOver(pod, progress);
        progress.done.add(pod.uid);
        progress.collector.add(pod, found);
        progress.pods[worstOutcome(found)] += 1;
      }
    }
  }

  /** Nothing for those that were not come to. */
  async #judgeAll(
    pods: readonly RunningPod[],
    progress: Progress,
  ): Promise<readonly (readonly ReportResult[] | undefined)[]> {
    const results: (readonly ReportResult[] | undefined)[] = [];
    const rest = pods.entries();
    const workers = Array.from({ length: this.#options.limits.parallelPods }, async () => {
      for (const [index, pod] of rest) results[index] = await this.#judgePod(pod, progress);
    });
    await Promise.all(workers);
    return results;
  }

  async #judgePod(pod: RunningPod, progress: Progress): Promise<readonly ReportResult[] | undefined> {
    const { context, judge, signal, limits, metrics, failed } = this.#options;
    await this.#pace.ready(signal);
    signal.throwIfAborted();
    if (this.#isOver(progress)) return undefined;
    progress.hasBegun = true;
    const images = progress.images.ofPod();
    try {
      const now = context();
      const decision = await judge(
        asCreated(pod),
        { ...now, judge: images.through(now.judge) },
        AbortSignal.any([signal, AbortSignal.timeout(limits.podMs)]),
      );
      for (const { decision: outcome } of decision.images) metrics.recheckImages.inc({ decision: outcome });
      return resultsOf(pod, decision);
    } catch (error) {
      signal.throwIfAborted();
      if (!progress.hasFailed) failed(progress.namespace, error);
      progress.hasFailed = true;
      return [notJudged(pod, error)];
    } finally {
      this.#pace.spent(images.asked());
    }
  }

  /** One pod is always judged, or a namespace whose list takes long would never be. */
  #isOver({ hasBegun, endsAtMs }: Progress): boolean {
    return hasBegun && this.#options.clock.monotonic() >= endsAtMs;
  }

  #tellOfRest({ namespace, notComeTo: count }: Progress): void {
    if (count === 0) return;
    const { limits, failed } = this.#options;
    const message = `${count} of its pods were not judged within ${limits.namespaceMs} ms, and are the first of the next round: its registries may be slow, or its images too many`;
    failed(namespace, new OutOfTime(message));
  }
}

function leaveOver(pod: RunningPod, progress: Progress): readonly ReportResult[] {
  progress.notComeTo += 1;
  progress.stoppedAt ??= pod.name;
  return [notComeTo(pod)];
}

interface Progress {
  readonly namespace: string;
  readonly collector: ReportCollector;
  readonly pods: Record<Outcome, number>;
  /** UIDs of pods that were judged, or will not be. */
  readonly done: Set<string>;
  readonly images: AskedImages;
  /** On the clock that only goes forward. */
  readonly endsAtMs: number;
  pagePods: number;
  hasBegun: boolean;
  hasFailed: boolean;
  notComeTo: number;
  stoppedAt: string | undefined;
}
