// How one kind is doing, for readiness, metrics and the log.

import type { Clock } from '../clock.ts';
import type { KubernetesError, KubernetesErrorCode } from '../errors.ts';
import type { ResourceType } from './resource-type.ts';

export interface ReflectorReporter {
  /** The kind cannot be read at the moment: once per outage and error code. What is known of it stays. */
  readonly failed: (type: ResourceType, error: KubernetesError) => void;
  readonly recovered: (type: ResourceType) => void;
}

export interface ResourceHealth {
  readonly kind: ResourceType['kind'];
  /** Since when everything of this kind is known; undefined before the first complete list. */
  readonly syncedSince: Date | undefined;
  /** The last complete list. */
  readonly listedAt: Date | undefined;
  /** How many there were. */
  readonly lists: number;
  /** The last sign of life on a watch, bookmarks included. */
  readonly heardAt: Date | undefined;
  /** Changes heard of on watches. */
  readonly events: number;
  /** Objects without a name or namespace, which were passed over. */
  readonly unusable: number;
  /** Set while it cannot be read. What is known of it stays in force, and grows old. */
  readonly failing: ResourceFailure | undefined;
}

export interface ResourceFailure {
  readonly since: Date;
  readonly code: KubernetesErrorCode;
  readonly message: string;
}

export class ReflectorHealth {
  readonly #type: ResourceType;
  readonly #clock: Clock;
  readonly #report: ReflectorReporter;
  #current: ResourceHealth;

  constructor(type: ResourceType, clock: Clock, report: ReflectorReporter) {
    this.#type = type;
    this.#clock = clock;
    this.#report = report;
    const never = { syncedSince: undefined, listedAt: undefined, heardAt: undefined, failing: undefined };
    this.#current = { kind: type.kind, ...never, lists: 0, events: 0, unusable: 0 };
  }

  current(): ResourceHealth {
    return this.#current;
  }

  listed(unusable: number): void {
    const now = this.#clock.now();
    const { syncedSince, lists } = this.#current;
    this.#change({ syncedSince: syncedSince ?? now, listedAt: now, lists: lists + 1 });
    this.unusable(unusable);
  }

  watching(): void {
    this.#change({ heardAt: this.#clock.now() });
  }

  heard(changes: number): void {
    this.#change({ heardAt: this.#clock.now(), events: this.#current.events + changes });
  }

  unusable(count = 1): void {
    this.#change({ unusable: this.#current.unusable + count });
  }

  failed(error: KubernetesError): void {
    const { failing } = this.#current;
    const since = failing?.since ?? this.#clock.now();
    this.#change({ failing: { since, code: error.code, message: error.message } });
    // Once per outage and kind of trouble: retries say the same again every few seconds.
    if (failing?.code !== error.code) this.#report.failed(this.#type, error);
  }

  recovered(): void {
    if (this.#current.failing === undefined) return;
    this.#change({ failing: undefined });
    this.#report.recovered(this.#type);
  }

  #change(change: Partial<ResourceHealth>): void {
    this.#current = { ...this.#current, ...change };
  }
}
