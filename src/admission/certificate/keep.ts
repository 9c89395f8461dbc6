// Keeps the serving certificate, in one loop for each replica. Whoever leads plans the next step, stores it, and sees to it that the
// webhook configurations trust it; all others serve what is stored.
//
// Everything is looked at anew in every round, in this order: configurations, then Secret. What the leader writes into a configuration
// was then planned from a Secret that is no older than the configuration, whose version the write names: a leader that was
// paused and succeeded without knowing it cannot bring an old bundle back.

import { randomBytes } from 'node:crypto';
import { type Clock, systemClock } from '../../sources/kubernetes/clock.ts';
import type { KubeClient } from '../../sources/kubernetes/cluster/client.ts';
import { isKubernetesError } from '../../sources/kubernetes/errors.ts';
import { type CertificateRandomness, systemRandomness } from './issue.ts';
import { type PlanStep, planServingCertificate } from './plan.ts';
import { readSecret, type SecretLocation, type StoredSecret, writeSecret } from './secret.ts';
import { certificatePem, keyPem, type StoredState } from './secret-data.ts';
import { ServingHolder, type ServingSource } from './serving-pair.ts';
import { bundleOf, type ServingState, vouchesFor } from './serving-state.ts';
import { type CertificateTiming, defaultCertificateTiming } from './timing.ts';
import {
  type ConfigurationsLocation,
  readConfigurations,
  trust,
  trustedCertificates,
  trusts,
} from './webhook-configurations.ts';

export interface KeeperReport {
  /** Something has changed, and is stored. */
  readonly step: (step: PlanStep) => void;
  /** A webhook configuration did not trust what it must, and does now. */
  readonly trusted: (path: string) => void;
  /** Said once until something else fails, or `recovered`. */
  readonly failed: (error: unknown) => void;
  readonly recovered: () => void;
  /** Of what is served and of what vouches for it, whenever it is looked at. */
  readonly expiry: (certificate: 'leaf' | 'ca', notAfter: Date) => void;
}

export interface KeeperOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  /** Name of the Secret. */
  readonly secret: string;
  /** Name of both webhook configurations. */
  readonly configuration: string;
  /** DNS names by which API servers call, such as `trellis-webhook.trellis-system.svc`. */
  readonly names: readonly string[];
  /** Asked before every write. */
  readonly isLeader: () => boolean;
  /** Ends it. */
  readonly signal: AbortSignal;
  readonly report: KeeperReport;
  readonly timing?: Partial<CertificateTiming>;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly certificates?: CertificateRandomness;
}

export interface ServingCertificateKeeper {
  /** Resolves with the first certificate that can be served; rejects with the signal's reason. */
  readonly ready: Promise<ServingSource>;
  /** Resolves when it has stopped, after `signal`. */
  readonly ended: Promise<void>;
}

/** Starts keeping; what goes wrong is reported, and tried again. */
export function keepServingCertificate(options: KeeperOptions): ServingCertificateKeeper {
  const keeper = new Keeper({
    clock: systemClock,
    random: Math.random,
    certificates: systemRandomness(randomBytes),
    ...options,
    timing: { ...defaultCertificateTiming, ...options.timing },
  });
  const ended = keeper.run();
  return { ready: keeper.ready, ended };
}

type Settings = Required<Omit<KeeperOptions, 'timing'>> & { readonly timing: CertificateTiming };

class Keeper {
  readonly ready: Promise<ServingSource>;
  readonly #settings: Settings;
  readonly #secret: SecretLocation;
  readonly #configurations: ConfigurationsLocation;
  readonly #begin: PromiseWithResolvers<ServingSource>;
  #holder: ServingHolder | undefined;
  /** The newest good state that was seen. */
  #known: ServingState | undefined;
  /** Since when, on a clock that nobody can set, this generation is stored and trusted everywhere, as far as we saw. */
  #settled: { readonly generation: number; readonly sinceMs: number } | undefined;
  #failure: string | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
    const { client, namespace, secret, configuration, timing } = settings;
    const { requestMs } = timing;
    this.#secret = { client, namespace, name: secret, requestMs };
    this.#configurations = { client, name: configuration, requestMs };
    this.#begin = Promise.withResolvers();
    this.ready = this.#begin.promise;
    // Whoever does not wait for it is not to be ended by it.
    this.ready.catch(() => {});
  }

  async run(): Promise<void> {
    const { signal, clock, random, timing } = this.#settings;
    while (!signal.aborted) {
      await this.#round();
      const pollMs = this.#holder === undefined ? timing.firstPollMs : timing.pollMs;
      await clock.sleep(pollMs * (0.8 + 0.4 * random()), signal);
    }
    this.#begin.reject(signal.reason);
  }

  async #round(): Promise<void> {
    const { isLeader, report, signal } = this.#settings;
    try {
      await (isLeader() ? this.#lead() : this.#follow());
      if (this.#failure !== undefined) report.recovered();
      this.#failure = undefined;
    } catch (error) {
      if (signal.aborted) return;
      this.#settled = undefined;
      // Somebody else was sooner; the next round sees what they wrote.
      if (isKubernetesError(error, 'ERR_KUBE_CONFLICT')) return;
      const message = error instanceof Error ? error.message : String(error);
      if (message !== this.#failure) report.failed(error);
      this.#failure = message;
    }
  }

  async #follow(): Promise<void> {
    // Led perhaps, and may again: what has happened since is unknown.
    this.#settled = undefined;
    const { state } = await readSecret(this.#secret, this.#settings.signal);
    const whole = wholeOf(state);
    if (whole !== undefined && whole.generation >= (this.#known?.generation ?? 0)) this.#adopt(whole);
  }

  async #lead(): Promise<void> {
    const { signal, clock, names, timing, certificates } = this.#settings;
    const configurations = await readConfigurations(this.#configurations, signal);
    const stored = await readSecret(this.#secret, signal);
    const settled = this.#settled;
    const isSame = settled?.generation === stored.state.generation;
    const { state, steps } = planServingCertificate({
      ...{ stored: stored.state, known: this.#known, trusted: trustedCertificates(configurations) },
      settledMs: settled !== undefined && isSame ? clock.monotonic() - settled.sinceMs : 0,
      ...{ now: clock.now(), names, random: certificates, timing },
    });
    // The store may have been set back: what is known of it has to be seen again.
    if (!isSame || steps.length > 0) this.#settled = undefined;
    if (steps.length > 0 && !(await this.#store(stored, state, steps))) return;
    const bundle = bundleOf(state);
    for (const configuration of configurations) {
      if (trusts(configuration, bundle)) continue;
      this.#settled = undefined;
      if (!this.#settings.isLeader()) return;
      await trust(this.#configurations, configuration, bundle, signal);
      this.#settings.report.trusted(configuration.path);
    }
    // Not before it is trusted. What replicas find in the Secret on their own, they find a round later.
    this.#adopt(state);
    this.#settled ??= { generation: state.generation, sinceMs: clock.monotonic() };
  }

  /** False where another replica leads by now. */
  async #store(stored: StoredSecret, state: ServingState, steps: readonly PlanStep[]): Promise<boolean> {
    const { isLeader, report, signal } = this.#settings;
    if (!isLeader()) return false;
    await writeSecret(this.#secret, stored, state, signal);
    for (const step of steps) report.step(step);
    return true;
  }

  #adopt(state: ServingState): void {
    const { report } = this.#settings;
    this.#known = state;
    report.expiry('leaf', state.leaf.certificate.notAfter);
    report.expiry('ca', state.authority.certificate.notAfter);
    const pair = { certificate: certificatePem(state.leaf.certificate), key: keyPem(state.leaf) };
    if (this.#holder !== undefined) {
      this.#holder.set(pair);
      return;
    }
    this.#holder = new ServingHolder(pair);
    this.#begin.resolve(this.#holder);
  }
}

/** What can be served as it is. */
function wholeOf({
  kind,
  generation,
  authority,
  leaf,
  next,
  previous,
}: StoredState): ServingState | undefined {
  if (kind !== 'found' || authority === undefined || leaf === undefined) return undefined;
  if (!vouchesFor(authority.certificate, leaf.certificate)) return undefined;
  return { generation, authority, leaf, next, previous };
}
