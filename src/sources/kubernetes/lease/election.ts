// Who of several replicas leads: whoever holds a Lease.
//
// Nobody's clock is compared with another's. A candidate takes the Lease over when it has itself seen no change of it for as
// long as the holder promised to renew within; the holder stops believing in itself sooner than that, counted from before it
// sent its last renewal. So also a leader that was paused, and goes on in the middle of a line, is no leader when it looks.
// A Lease that is not there is treated as one that somebody holds: it may have been deleted under its holder. (One that is
// installed without a holder is taken at once.)

import { randomUUID } from 'node:crypto';
import { type Clock, systemClock } from '../clock.ts';
import type { KubeClient } from '../cluster/client.ts';
import { getIfThere } from '../cluster/get-if-there.ts';
import { isKubernetesError } from '../errors.ts';
import { encodeLease, type LeaseRecord, microTime, parseLease } from './lease-record.ts';
import { holds, type Moment, momentOf } from './tenure.ts';

export interface ElectionTiming {
  /** How long others leave a Lease alone that does not change. */
  readonly leaseMs: number;
  /** How long a leader leads after its last renewal; what it has begun by then must end before `leaseMs` are over. */
  readonly renewDeadlineMs: number;
  /** Between renewals, and between looks of those who wait. */
  readonly retryMs: number;
  /** Of one request; giving the Lease back included. */
  readonly requestMs: number;
}

export const defaultTiming: ElectionTiming = {
  leaseMs: 15_000,
  renewDeadlineMs: 10_000,
  retryMs: 2_000,
  requestMs: 4_000,
};

export interface ElectionOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  /** Of this replica, for people to read, such as the name of its pod; a random part is added. */
  readonly identity: string;
  /** Ends the candidacy; a Lease that is held is given back. */
  readonly signal: AbortSignal;
  /** Worth a log line; never decisive. */
  readonly report: {
    readonly leading: (leads: boolean) => void;
    readonly failed: (error: unknown) => void;
  };
  readonly timing?: Partial<ElectionTiming>;
  readonly clock?: Clock;
  readonly random?: () => number;
}

export interface Election {
  readonly identity: string;
  /** Whether this replica leads at this very moment: to be asked before every write, not remembered. */
  isLeader(): boolean;
  /** Resolves when the candidacy has ended, and the Lease was given back if that could be done. */
  readonly ended: Promise<void>;
}

/** @throws RangeError when the timing could let two lead */
export function runElection(options: ElectionOptions): Election {
  const timing = { ...defaultTiming, ...options.timing };
  // Whole seconds are what a Lease can promise.
  if (timing.renewDeadlineMs >= timing.leaseMs || timing.leaseMs % 1_000 !== 0) {
    throw new RangeError('renewDeadlineMs must be less than leaseMs, which must be whole seconds');
  }
  const candidate = new Candidate({ clock: systemClock, random: Math.random, ...options, timing });
  return { identity: candidate.identity, isLeader: () => candidate.isLeader(), ended: candidate.run() };
}

type Settings = Required<Omit<ElectionOptions, 'timing'>> & { readonly timing: ElectionTiming };

interface Observed {
  /** Undefined when there is none. Whoever held one that was deleted may not know that yet. */
  readonly record: LeaseRecord | undefined;
  /** When we saw this version first: it was written no later. */
  readonly sinceMs: number;
}

class Candidate {
  readonly identity: string;
  readonly #settings: Settings;
  readonly #leases: string;
  readonly #lease: string;
  #observed: Observed | undefined;
  /** Whether `#observed` is what we wrote ourselves: unless somebody else writes, it is still there. */
  #isOwn = false;
  /** The moment before the request that last confirmed our tenure was sent. */
  #confirmed: Moment | undefined;
  #said = false;

  constructor(settings: Settings) {
    this.#settings = settings;
    // Nobody else acts in this name, so a Lease that bears it is ours, even if the answer that would have said so was lost.
    this.identity = `${settings.identity}_${randomUUID()}`;
    const namespace = encodeURIComponent(settings.namespace);
    this.#leases = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
    this.#lease = `${this.#leases}/${encodeURIComponent(settings.name)}`;
  }

  isLeader(): boolean {
    const { clock, timing, signal } = this.#settings;
    return !signal.aborted && holds(this.#confirmed, momentOf(clock), timing.renewDeadlineMs);
  }

  async run(): Promise<void> {
    const { signal, clock, timing, random } = this.#settings;
    while (!signal.aborted) {
      await this.#attempt();
      this.#say();
      // Not all in the same moment.
      await clock.sleep(timing.retryMs * (0.8 + 0.4 * random()), signal);
    }
    this.#say();
    await this.#giveBack();
  }

  async #attempt(): Promise<void> {
    const { signal, report } = this.#settings;
    try {
      if (!this.#isOwn) await this.#observe(signal);
      if (this.#mayTake()) await this.#take(signal);
    } catch (error) {
      this.#isOwn = false;
      if (signal.aborted) return;
      // Somebody else has written. Any other failure ends the tenure in its own time.
      if (isKubernetesError(error, 'ERR_KUBE_CONFLICT', 'ERR_KUBE_NOT_FOUND')) this.#confirmed = undefined;
      else report.failed(error);
    }
  }

  async #observe(signal: AbortSignal): Promise<void> {
    const { client, clock, timing } = this.#settings;
    const lease = await getIfThere(client, { path: this.#lease, signal, timeoutMs: timing.requestMs });
    const record = lease === undefined ? undefined : parseLease(lease);
    const isNew =
      this.#observed === undefined || this.#observed.record?.resourceVersion !== record?.resourceVersion;
    if (isNew) this.#observed = { record, sinceMs: clock.monotonic() };
  }

  #mayTake(): boolean {
    if (this.#observed === undefined) return false;
    const { record, sinceMs } = this.#observed;
    if (record?.holder === '' || record?.holder === this.identity) return true;
    const { clock, timing } = this.#settings;
    // The holder goes by what it promised, we by what we would have.
    return clock.monotonic() - sinceMs >= Math.max(timing.leaseMs, record?.durationMs ?? 0);
  }

  async #take(signal: AbortSignal): Promise<void> {
    const { clock } = this.#settings;
    const before = momentOf(clock);
    const record = await this.#write(this.identity, signal);
    this.#observed = { record, sinceMs: clock.monotonic() };
    this.#isOwn = true;
    this.#confirmed = before;
  }

  async #write(holder: string, signal: AbortSignal): Promise<LeaseRecord> {
    const { client, clock, timing, namespace, name } = this.#settings;
    const previous = this.#observed?.record;
    const now = microTime(clock.now());
    const wasOurs = previous?.holder === this.identity;
    const body = encodeLease({
      ...{ namespace, name, holder, durationMs: timing.leaseMs, renewTime: now },
      resourceVersion: previous?.resourceVersion,
      acquireTime: wasOurs ? (previous.acquireTime ?? now) : now,
      transitions: (previous?.transitions ?? 0) + (wasOurs ? 0 : 1),
    });
    const where =
      previous === undefined
        ? ({ method: 'POST', path: this.#leases } as const)
        : ({ method: 'PUT', path: this.#lease } as const);
    return parseLease(await client.json({ ...where, body, signal, timeoutMs: timing.requestMs }));
  }

  /** What a request that was aborted has done is not known, so it is looked up. */
  async #giveBack(): Promise<void> {
    this.#confirmed = undefined;
    const { signal } = new AbortController();
    try {
      if (!this.#isOwn) await this.#observe(signal);
      if (this.#observed?.record?.holder === this.identity) await this.#write('', signal);
    } catch (error) {
      // Then it runs out.
      this.#settings.report.failed(error);
    }
  }

  #say(): void {
    const leads = this.isLeader();
    if (leads === this.#said) return;
    this.#said = leads;
    this.#settings.report.leading(leads);
  }
}
