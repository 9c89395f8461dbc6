// One kind of object, kept equal to what the API server has: listed once, then watched.
//
// A watch that ends or breaks is taken up where it left off, without listing; only when the server has forgotten that place
// (410) is everything listed again. Silence is not trusted: a watch on which nothing is heard for longer than the server was
// asked to keep it is dead, however open its connection looks.

import { retryDelayMs } from '../backoff.ts';
import type { Clock } from '../clock.ts';
import type { KubeClient } from '../cluster/client.ts';
import { KubernetesError, type KubernetesErrorCode } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { linesOf } from './lines.ts';
import { listAll, tooMany } from './list.ts';
import { ReflectorHealth, type ReflectorReporter } from './reflector-health.ts';
import type { ResourceType } from './resource-type.ts';
import { SilenceGuard } from './silence-guard.ts';
import { readWatchEvent, type WatchEvent, type WireObject } from './wire.ts';

/** Takes what is reflected. None of these may throw. */
export interface ObjectSink<T> {
  /** What is kept of an object instead of the object itself. */
  readonly read: (object: WireObject) => T;
  /** All there is, from one moment. */
  readonly replace: (objects: ReadonlyMap<string, T>) => void;
  readonly set: (key: string, object: T) => void;
  readonly delete: (key: string) => void;
  readonly size: () => number;
}

export interface ReflectorOptions<T> {
  readonly type: ResourceType;
  readonly client: KubeClient;
  readonly sink: ObjectSink<T>;
  readonly report: ReflectorReporter;
  readonly limits: Limits;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly signal: AbortSignal;
}

export class Reflector<T> {
  readonly health: ReflectorHealth;
  readonly #options: ReflectorOptions<T>;
  /** Where the watch goes on; undefined when everything must be listed. */
  #resourceVersion: string | undefined;
  #relistAt = 0;
  #failures = 0;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.health = new ReflectorHealth(options.type, options.clock, options.report);
  }

  /** Resolves when `signal` is aborted; never rejects. */
  async run(): Promise<void> {
    const { clock, signal, limits, random } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#round();
      } catch (error) {
        if (signal.aborted) return;
        const failure = asKubernetesError(error);
        if (startsOver.has(failure.code)) this.#resourceVersion = undefined;
        this.health.failed(failure);
        await clock.sleep(retryDelayMs(this.#failures, failure.retryAfterMs, random, limits), signal);
        this.#failures++;
      }
    }
  }

  async #round(): Promise<void> {
    if (this.#resourceVersion === undefined) this.#resourceVersion = await this.#list();
    else if (this.#options.clock.monotonic() >= this.#relistAt) await this.#listAgain();
    await this.#watch(this.#resourceVersion);
  }

  /** A server that has no time for lists may well have it for a watch. */
  async #listAgain(): Promise<void> {
    const { signal, clock, limits } = this.#options;
    try {
      this.#resourceVersion = await this.#list();
    } catch (error) {
      if (signal.aborted) throw error;
      this.#relistAt = clock.monotonic() + limits.maxRetryAfterMs;
    }
  }

  async #list(): Promise<string> {
    const { sink, clock, limits, random } = this.#options;
    const { objects, resourceVersion, unusable } = await listAll(this.#options);
    sink.replace(objects);
    this.#relistAt = clock.monotonic() + limits.relistMs * (1 + random() / 2);
    this.health.listed(unusable);
    return resourceVersion;
  }

  async #watch(from: string): Promise<void> {
    const { type, client, clock, limits, random, signal } = this.#options;
    const seconds = Math.ceil(limits.watchSeconds * (1 + random()));
    const started = clock.monotonic();
    const silence = new SilenceGuard(clock, seconds * 1_000 + limits.watchSlackMs, signal);
    try {
      const chunks = await client.stream({
        path: type.path,
        query: {
          watch: 'true',
          resourceVersion: from,
          allowWatchBookmarks: 'true',
          timeoutSeconds: String(seconds),
        },
        signal: silence.signal,
      });
      this.health.watching();
      void this.#settle(silence.signal);
      let heard = false;
      for await (const line of linesOf(chunks, limits.maxEventBytes)) {
        silence.heard();
        heard = true;
        this.#apply(readWatchEvent(type, line));
      }
      if (heard || clock.monotonic() - started >= limits.shortWatchMs) return this.#progressed();
      throw new KubernetesError('ERR_KUBE_UNREACHABLE', `watch of ${type.path}: ended as soon as it began`);
    } finally {
      silence.end();
    }
  }

  /** On a quiet cluster, a watch that lasts is all there is to see of recovery. */
  async #settle(ended: AbortSignal): Promise<void> {
    await this.#options.clock.sleep(this.#options.limits.shortWatchMs, ended);
    if (!ended.aborted) this.#progressed();
  }

  #apply(event: WatchEvent): void {
    const { sink, type, limits } = this.#options;
    switch (event.type) {
      case 'set':
        sink.set(event.object.key, sink.read(event.object));
        if (sink.size() > limits.maxObjects) throw tooMany(type, limits);
        break;
      case 'delete':
        sink.delete(event.object.key);
        break;
      case 'unusable':
        this.health.unusable();
        return;
    }
    this.#resourceVersion = event.type === 'bookmark' ? event.resourceVersion : event.object.resourceVersion;
    this.health.heard(event.type === 'bookmark' ? 0 : 1);
    this.#progressed();
  }

  #progressed(): void {
    this.#failures = 0;
    this.health.recovered();
  }
}

/** After these the place where we were is of no use: forgotten, refused, or followed by what we cannot read. */
const startsOver: ReadonlySet<KubernetesErrorCode> = new Set<KubernetesErrorCode>([
  'ERR_KUBE_EXPIRED',
  'ERR_KUBE_REFUSED',
  'ERR_KUBE_NOT_FOUND',
  'ERR_KUBE_PROTOCOL',
  'ERR_KUBE_TOO_LARGE',
]);

function asKubernetesError(error: unknown): KubernetesError {
  if (error instanceof KubernetesError) return error;
  // A defect of ours ends neither the process nor the reflection.
  const reason = error instanceof Error ? error.message : String(error);
  return new KubernetesError('ERR_KUBE_PROTOCOL', `cannot be taken over: ${reason}`, { cause: error });
}
