// Events about what was denied, warned of or found, for whoever looks at an object and wonders. They are a courtesy: they never
// hold up an answer, and what cannot be sent is counted and forgotten.

import { LRUCache } from 'lru-cache';
import { type Clock, systemClock } from '../../sources/kubernetes/clock.ts';
import type { KubeClient } from '../../sources/kubernetes/cluster/client.ts';
import { isKubernetesError } from '../../sources/kubernetes/errors.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { AdmissionDecision } from '../decision.ts';
import type { AdmissionRequest } from '../review/request.ts';
import { type EventText, encodeEvent, encodeSeries, eventTexts, type Occurrences } from './event.ts';
import { type BudgetLimits, EventBudget } from './event-budget.ts';
import { type EventSubject, eventSubject } from './event-subject.ts';

export interface EventLimits extends BudgetLimits {
  /** Waiting to be sent; an API server that is slow must not become our memory. */
  readonly maxQueued: number;
  /** Between two that are sent. */
  readonly spacingMs: number;
  /** Events that are remembered, so that one of the same words is counted with them. */
  readonly maxRemembered: number;
  /** The count of one that is repeated is written no more often. */
  readonly seriesMs: number;
  /** After so long without a repetition it is a new one. API servers keep Events for an hour. */
  readonly forgetMs: number;
  /** Of one request. */
  readonly requestMs: number;
}

const defaultEventLimits: EventLimits = {
  burst: 25,
  refillMs: 5_000,
  maxNamespaces: 1_000,
  maxQueued: 1_000,
  spacingMs: 50,
  maxRemembered: 4_096,
  seriesMs: 60_000,
  forgetMs: 30 * 60_000,
  requestMs: 5_000,
};

export interface EventOptions {
  readonly client: KubeClient;
  /** Who says so: the name of our pod. */
  readonly instance: string;
  readonly metrics: Pick<Metrics, 'admissionEvents'>;
  /** The first failure after a success; worth a log line. */
  readonly failed: (error: unknown) => void;
  /** Ends the sending; what waits is forgotten. */
  readonly signal: AbortSignal;
  /** Of an Event, within its namespace: never the same twice. */
  readonly newName: () => string;
  readonly limits?: Partial<EventLimits>;
  readonly clock?: Clock;
}

export interface EventRecorder {
  /** Returns at once and never throws. Nothing is recorded of a dry run. */
  record(request: AdmissionRequest, decision: AdmissionDecision): void;
}

export function createEventRecorder(options: EventOptions): EventRecorder {
  const limits = { ...defaultEventLimits, ...options.limits };
  return new Recorder({ clock: systemClock, ...options, limits });
}

type Settings = Required<Omit<EventOptions, 'limits'>> & { readonly limits: EventLimits };

/** One Event, from the first time that it happened. */
interface Entry {
  readonly subject: EventSubject;
  readonly text: EventText;
  name: string;
  occurrences: Occurrences;
  /** Whether the API server has it. */
  exists: boolean;
  queued: boolean;
  /** When it last happened, and when it was last to be written, on the clock that only goes forward. */
  happenedMs: number;
  writtenMs: number;
}

class Recorder implements EventRecorder {
  readonly #settings: Settings;
  readonly #budget: EventBudget;
  readonly #entries: LRUCache<string, Entry>;
  readonly #queue: Entry[] = [];
  #sending = false;
  #failing = false;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#budget = new EventBudget(settings.limits);
    this.#entries = new LRUCache({ max: settings.limits.maxRemembered });
  }

  record(request: AdmissionRequest, decision: AdmissionDecision): void {
    if (request.dryRun || decision.findings.length === 0) return;
    const subject = eventSubject(request, decision.allowed);
    if (subject === undefined) return;
    for (const text of eventTexts(decision)) this.#happened(subject, text);
  }

  #happened(subject: EventSubject, text: EventText): void {
    const { clock, limits } = this.#settings;
    const key = JSON.stringify([subject.namespace, subject.uid, text.reason, text.note]);
    const nowMs = clock.monotonic();
    const known = this.#entries.get(key);
    if (known === undefined || nowMs - known.happenedMs > limits.forgetMs) {
      const entry = this.#newEntry(subject, text, nowMs);
      if (this.#enqueue(entry)) this.#entries.set(key, entry);
      return;
    }
    known.occurrences = {
      ...known.occurrences,
      count: known.occurrences.count + 1,
      last: clock.now(),
    };
    known.happenedMs = nowMs;
    this.#settings.metrics.admissionEvents.inc({ result: 'repeated' });
    if (known.queued || nowMs - known.writtenMs < limits.seriesMs) return;
    known.writtenMs = nowMs;
    this.#enqueue(known);
  }

  #newEntry(subject: EventSubject, text: EventText, nowMs: number): Entry {
    const { clock, newName } = this.#settings;
    const now = clock.now();
    return {
      ...{ subject, text, name: newName(), occurrences: { count: 1, first: now, last: now } },
      ...{ exists: false, queued: false, happenedMs: nowMs, writtenMs: nowMs },
    };
  }

  #enqueue(entry: Entry): boolean {
    const { clock, limits, metrics } = this.#settings;
    const full = this.#queue.length >= limits.maxQueued;
    if (full || !this.#budget.take(entry.subject.namespace, clock.monotonic())) {
      metrics.admissionEvents.inc({ result: 'dropped' });
      return false;
    }
    entry.queued = true;
    this.#queue.push(entry);
    void this.#send();
    return true;
  }

  /** One after the other, until there is none left. Never rejects. */
  async #send(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    const { clock, limits, signal } = this.#settings;
    for (;;) {
      const entry = this.#queue.shift();
      if (entry === undefined || signal.aborted) break;
      entry.queued = false;
      await this.#attempt(entry);
      await clock.sleep(limits.spacingMs, signal);
    }
    this.#queue.length = 0;
    this.#sending = false;
  }

  async #attempt(entry: Entry): Promise<void> {
    const { metrics, failed, signal } = this.#settings;
    try {
      await this.#write(entry);
      metrics.admissionEvents.inc({ result: 'sent' });
      this.#failing = false;
    } catch (error) {
      if (signal.aborted) return;
      metrics.admissionEvents.inc({ result: 'failed' });
      if (!this.#failing) failed(error);
      this.#failing = true;
    }
  }

  async #write(entry: Entry): Promise<void> {
    if (entry.exists) {
      try {
        return await this.#patch(entry);
      } catch (error) {
        if (!isKubernetesError(error, 'ERR_KUBE_NOT_FOUND')) throw error;
        // It ran out, or somebody tidied up.
        entry.exists = false;
        entry.name = this.#settings.newName();
      }
    }
    await this.#create(entry);
    entry.exists = true;
  }

  async #create({ name, subject, text, occurrences }: Entry): Promise<void> {
    const { client, instance, limits, signal } = this.#settings;
    const body = encodeEvent({ name, subject, text, occurrences, instance });
    const request = { method: 'POST', path: eventsOf(subject), body, signal } as const;
    try {
      await client.json({ ...request, timeoutMs: limits.requestMs });
    } catch (error) {
      // Nobody else has the name: it is there, and the answer that would have said so was lost.
      if (!isKubernetesError(error, 'ERR_KUBE_CONFLICT')) throw error;
    }
  }

  async #patch({ name, subject, occurrences }: Entry): Promise<void> {
    const { client, limits, signal } = this.#settings;
    await client.json({
      method: 'PATCH',
      path: `${eventsOf(subject)}/${encodeURIComponent(name)}`,
      contentType: 'application/merge-patch+json',
      body: encodeSeries(occurrences),
      signal,
      timeoutMs: limits.requestMs,
    });
  }
}

function eventsOf({ namespace }: EventSubject): string {
  return `/apis/events.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/events`;
}
