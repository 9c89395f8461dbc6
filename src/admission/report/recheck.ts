// Running pods are judged again, from time to time, under the policies of the moment: a key that was removed, a date that has passed,
// an image that was revoked then shows up in a report. Nothing is stopped because of it. The leader alone does it.

import { ownField } from '../../model/manifest.ts';
import { type Clock, systemClock } from '../../sources/kubernetes/clock.ts';
import type { KubeClient } from '../../sources/kubernetes/cluster/client.ts';
import { pagesOf } from '../../sources/kubernetes/cluster/pages.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { AdmissionContext } from '../context.ts';
import { judgeRequest } from '../judge-request.ts';
import { Failures } from './failures.ts';
import { type NamespaceLimits, NamespaceRecheck, type RecheckedNamespace } from './recheck-namespace.ts';
import { discoverReportKinds, type ReportKind } from './report-kinds.ts';
import { noOutcomes, type Outcome, outcomes } from './report-results.ts';
import { writeReport } from './report-writer.ts';

export interface RecheckLimits extends NamespaceLimits {
  readonly pageNamespaces: number;
  /** Namespaces one after the other for which the API server has no answer until the round is given up. */
  readonly maxFailures: number;
  /** After a round that was given up. */
  readonly retryMs: number;
  /** Between two looks of a replica that does not lead. */
  readonly leaderPollMs: number;
  /** A new leader begins within so long, so that restarts do not all ask the registries at once. */
  readonly startSpreadMs: number;
}

const defaultRecheckLimits: RecheckLimits = {
  imagesPerSecond: 10,
  parallelPods: 4,
  podMs: 15_000,
  // At the rate above 1,200 images; where registries hang, 32 pods.
  namespaceMs: 120_000,
  // More than are asked about in that time.
  rememberedImages: 2_000,
  pagePods: 100,
  maxPageBytes: 64 * 1024 * 1024,
  pageNamespaces: 500,
  maxFailures: 3,
  retryMs: 60_000,
  leaderPollMs: 2_000,
  startSpreadMs: 60_000,
};

export interface RecheckReporter {
  /** Once, until there is one: the cluster has no kind in which to report. */
  readonly noReports: () => void;
  /** About one namespace, or the whole round. */
  readonly failed: (namespace: string | undefined, error: unknown) => void;
  readonly completed: (pods: Readonly<Record<Outcome, number>>) => void;
}

export interface RecheckOptions {
  readonly client: KubeClient;
  /** Of the moment. */
  readonly context: () => AdmissionContext;
  /** Asked before every page and every write. */
  readonly isLeader: () => boolean;
  /** Names; admission is not asked about them either. */
  readonly exemptNamespaces: ReadonlySet<string>;
  /** From the end of a round to the beginning of the next, give or take `pauseSpread`. */
  readonly intervalMs: number;
  readonly metrics: RecheckMetrics;
  readonly report: RecheckReporter;
  readonly signal: AbortSignal;
  readonly limits?: Partial<RecheckLimits>;
  readonly clock?: Clock;
  /** In [0, 1). */
  readonly random?: () => number;
  readonly judge?: typeof judgeRequest;
}

type RecheckMetrics = Pick<
  Metrics,
  'recheckRounds' | 'recheckLastCompleted' | 'recheckPods' | 'recheckImages' | 'recheckReports'
>;

const defaults = { clock: systemClock, random: Math.random, judge: judgeRequest };

/** Resolves when `signal` is aborted; never rejects. */
export async function runRecheck(options: RecheckOptions): Promise<void> {
  const limits = { ...defaultRecheckLimits, ...options.limits };
  await new Recheck({ ...defaults, ...options, limits }).run();
}

type Settings = Required<Omit<RecheckOptions, 'limits'>> & { readonly limits: RecheckLimits };

/** Of a pause, so that rounds keep step with nothing. */
const pauseSpread = 0.1;

/** Another replica leads. */
class NoLongerLeader extends Error {}

class Recheck {
  readonly #settings: Settings;
  #saidNoReports = false;
  /** Where the last round was given up. */
  #gaveUpAt: string | undefined;
  /** By namespace: the pod with which the next round begins. */
  readonly #stoppedAt = new Map<string, string>();

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  async run(): Promise<void> {
    const { signal, clock, random, limits, intervalMs } = this.#settings;
    while (!signal.aborted) {
      await this.#untilLeader();
      await clock.sleep(Math.min(limits.startSpreadMs, intervalMs) * random(), signal);
      while (this.#mayLead()) {
        const completed = await this.#round();
        const pause = completed ? intervalMs : Math.min(limits.retryMs, intervalMs);
        await clock.sleep(pause * (1 + pauseSpread * (2 * random() - 1)), signal);
      }
    }
  }

  #mayLead(): boolean {
    const { signal, isLeader } = this.#settings;
    return !signal.aborted && isLeader();
  }

  async #untilLeader(): Promise<void> {
    const { signal, clock, limits } = this.#settings;
    while (!signal.aborted && !this.#mayLead()) await clock.sleep(limits.leaderPollMs, signal);
  }

  async #round(): Promise<boolean> {
    const { metrics, report, clock } = this.#settings;
    try {
      const pods = await this.#allNamespaces();
      for (const outcome of outcomes) metrics.recheckPods.set({ result: outcome }, pods[outcome]);
      metrics.recheckLastCompleted.set({}, clock.now().getTime() / 1_000);
      metrics.recheckRounds.inc({ result: 'completed' });
      report.completed(pods);
      return true;
    } catch (error) {
      const abandoned = !this.#mayLead() || error instanceof NoLongerLeader;
      metrics.recheckRounds.inc({ result: abandoned ? 'abandoned' : 'failed' });
      if (!abandoned) report.failed(undefined, error);
      return false;
    }
  }

  async #allNamespaces(): Promise<Readonly<Record<Outcome, number>>> {
    const { client, signal, limits } = this.#settings;
    const kinds = await this.#kinds();
    const recheck = new NamespaceRecheck({
      ...this.#settings,
      mayGoOn: () => this.#mayGoOn(),
      failed: (namespace, error) => this.#settings.report.failed(namespace, error),
    });
    const total = noOutcomes();
    const failures = new Failures(limits.maxFailures);
    const namespaces = await this.#namespaces();
    this.#forgetOthers(new Set(namespaces));
    for (const namespace of this.#fromAnywhere(namespaces)) {
      this.#mayGoOn();
      try {
        const { content, pods } = await this.#judge(namespace, recheck);
        for (const outcome of outcomes) total[outcome] += pods[outcome];
        const options = { client, kinds, signal, mayWrite: () => this.#mayGoOn() };
        const result = await writeReport(namespace, content, options);
        this.#settings.metrics.recheckReports.inc({ result });
        if (this.#isExempt(namespace)) failures.skipped();
        else failures.succeeded();
      } catch (error) {
        this.#namespaceFailed(namespace, error);
        this.#gaveUpAt = namespace;
        failures.failed(error);
      }
    }
    failures.throwIfNothingJudged();
    this.#gaveUpAt = undefined;
    return total;
  }

  async #judge(namespace: string, recheck: NamespaceRecheck): Promise<RecheckedNamespace> {
    const judged = this.#isExempt(namespace)
      ? nothing
      : await recheck.run(namespace, this.#stoppedAt.get(namespace));
    if (judged.stoppedAt === undefined) this.#stoppedAt.delete(namespace);
    else this.#stoppedAt.set(namespace, judged.stoppedAt);
    return judged;
  }

  #forgetOthers(namespaces: ReadonlySet<string>): void {
    for (const name of this.#stoppedAt.keys()) if (!namespaces.has(name)) this.#stoppedAt.delete(name);
  }

  /** Each round at another place, and after the one where the last was given up: nobody knows who will not be come to. */
  #fromAnywhere(namespaces: readonly string[]): readonly string[] {
    const last = this.#gaveUpAt === undefined ? -1 : namespaces.indexOf(this.#gaveUpAt);
    const start = last < 0 ? Math.floor(this.#settings.random() * namespaces.length) : last + 1;
    return [...namespaces.slice(start), ...namespaces.slice(0, start)];
  }

  #namespaceFailed(namespace: string, error: unknown): void {
    if (error instanceof NoLongerLeader || !this.#mayLead()) throw error;
    this.#settings.metrics.recheckReports.inc({ result: 'failed' });
    this.#settings.report.failed(namespace, error);
  }

  #isExempt(namespace: string): boolean {
    return this.#settings.exemptNamespaces.has(namespace);
  }

  #mayGoOn(): void {
    if (!this.#mayLead()) throw new NoLongerLeader();
  }

  /** Looked up in every round: they may be installed, or removed, at any time. */
  async #kinds(): Promise<readonly ReportKind[]> {
    const { client, signal, report } = this.#settings;
    const kinds = await discoverReportKinds(client, signal);
    if (kinds.length === 0 && !this.#saidNoReports) report.noReports();
    this.#saidNoReports = kinds.length === 0;
    return kinds;
  }

  /** Less those that are being deleted: nothing can be written into them. */
  async #namespaces(): Promise<readonly string[]> {
    const { client, signal, limits } = this.#settings;
    const names: string[] = [];
    const pages = pagesOf(
      { kind: 'Namespace', path: '/api/v1/namespaces' },
      { client, signal, limit: limits.pageNamespaces, maxBytes: limits.maxPageBytes },
    );
    for await (const { items } of pages) {
      for (const namespace of items) {
        const metadata = ownField(namespace, 'metadata');
        const name = ownField(metadata, 'name');
        const isLeaving = ownField(metadata, 'deletionTimestamp') !== undefined;
        if (typeof name === 'string' && !isLeaving) names.push(name);
      }
    }
    return names;
  }
}

/** Of a namespace about which there is nothing to say. */
const nothing: RecheckedNamespace = {
  ...{ content: undefined, stoppedAt: undefined, pods: noOutcomes() },
};
