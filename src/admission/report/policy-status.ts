// Whether a policy is in force, said where its author looks: the condition Ready of its status. The API server takes what the schema of the
// CustomResourceDefinition allows; what else is wrong with it is found out here, after `kubectl apply` has said that all is well.

import { type Clock, systemClock } from '../../sources/kubernetes/clock.ts';
import type { KubeClient } from '../../sources/kubernetes/cluster/client.ts';
import { isAboutServer, isKubernetesError } from '../../sources/kubernetes/errors.ts';
import type { PolicyVerdict } from '../../sources/kubernetes/mesh/policy-verdicts.ts';
import {
  defaultUsabilityLimits,
  type FindUsability,
  PolicyUsability,
  type UsabilityLimits,
} from './policy-usability.ts';
import { statusOf } from './ready-condition.ts';

export interface PolicyStatusLimits extends UsabilityLimits {
  /** Between two rounds, in milliseconds. */
  readonly pollMs: number;
  /** Between two writes, so that a new leader does not write everything at once. */
  readonly pauseMs: number;
  /** After a write that failed, for that policy alone. */
  readonly retryMs: number;
  /** For one write. */
  readonly requestMs: number;
  /** Policies one after the other for which the API server has no answer until the round is given up. */
  readonly maxFailures: number;
}

const defaultLimits: PolicyStatusLimits = {
  ...defaultUsabilityLimits,
  pollMs: 2_000,
  pauseMs: 100,
  retryMs: 60_000,
  requestMs: 10_000,
  maxFailures: 3,
};

export interface PolicyStatusOptions {
  readonly client: KubeClient;
  /** Asked before every write. */
  readonly isLeader: () => boolean;
  /** Undefined: not at the moment. */
  readonly verdicts: () => readonly PolicyVerdict[] | undefined;
  /** Whether images can be judged by a policy that is in force. */
  readonly usabilityOf: FindUsability;
  /** Of a policy that fails again and again, the first time; of several in one round, the first. */
  readonly failed: (error: unknown) => void;
  readonly signal: AbortSignal;
  readonly limits?: Partial<PolicyStatusLimits>;
  readonly clock?: Clock;
}

/** Writes what has changed, and nothing else. Resolves when `signal` is aborted; never rejects. */
export async function runPolicyStatus(options: PolicyStatusOptions): Promise<void> {
  const { signal, clock = systemClock } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const writer = new StatusWriter({ ...options, clock, limits });
  while (!signal.aborted) {
    await writer.round();
    await clock.sleep(limits.pollMs, signal);
  }
}

type Settings = Required<Omit<PolicyStatusOptions, 'limits'>> & { readonly limits: PolicyStatusLimits };

/** The last one to write the status of a policy. */
interface Attempt {
  readonly resourceVersion: string;
  readonly hasFailed: boolean;
  /** On the clock that only goes forward. */
  readonly atMs: number;
}

/**
 * Policies are of tenants, and why the status of one cannot be written may be its author's doing: it is tried again later, by itself,
 * and the others do not wait for it.
 */
class StatusWriter {
  readonly #settings: Settings;
  readonly #usability: PolicyUsability;
  /** By uid. */
  readonly #attempts = new Map<string, Attempt>();

  constructor(settings: Settings) {
    this.#settings = settings;
    const { usabilityOf, clock, signal, limits, isLeader } = settings;
    this.#usability = new PolicyUsability({
      ...{ find: usabilityOf, clock, signal, limits },
      goesOn: () => !signal.aborted && isLeader(),
    });
  }

  async round(): Promise<void> {
    const { isLeader, verdicts, failed, signal, clock, limits } = this.#settings;
    const all = verdicts();
    if (all === undefined) return;
    await this.#usability.refresh(all);
    let inRow = 0;
    let hasTold = false;
    for (const verdict of this.#due()) {
      const status = statusOf(verdict, this.#usability.of(verdict), clock.now());
      if (status === undefined) continue;
      if (signal.aborted || !isLeader()) return;
      const hadFailed = this.#attempts.get(verdict.uid)?.hasFailed;
      const error = await this.#write(verdict, status);
      if (error !== undefined && hadFailed !== true && !hasTold && isLeader() && !signal.aborted) {
        failed(error);
        hasTold = true;
      }
      // An answer about one policy, refusals included, is that of an API server that is there. Where all are refused, each of
      // them asks once in `retryMs`.
      inRow = isAboutServer(error) ? inRow + 1 : 0;
      if (inRow >= limits.maxFailures) return;
      await clock.sleep(limits.pauseMs, signal);
    }
  }

  /** Those that were not tried for the longest time first: after a round that was given up, those behind have their turn. */
  #due(): readonly PolicyVerdict[] {
    const { verdicts, clock, limits } = this.#settings;
    const all = verdicts();
    if (all === undefined) return [];
    this.#forgetOthers(new Set(all.map(({ uid }) => uid)));
    const nowMs = clock.monotonic();
    const triedMs = ({ uid }: PolicyVerdict) => this.#attempts.get(uid)?.atMs ?? Number.MIN_SAFE_INTEGER;
    return all
      .filter(({ uid, resourceVersion }) => {
        const last = this.#attempts.get(uid);
        // The next version comes by the watch.
        if (last?.resourceVersion !== resourceVersion) return true;
        return last.hasFailed && nowMs - last.atMs >= limits.retryMs;
      })
      .toSorted((a, b) => triedMs(a) - triedMs(b));
  }

  #forgetOthers(uids: ReadonlySet<string>): void {
    for (const uid of this.#attempts.keys()) if (!uids.has(uid)) this.#attempts.delete(uid);
  }

  /** Never rejects. @returns why it could not be written */
  async #write(verdict: PolicyVerdict, status: object): Promise<unknown> {
    const { client, signal, clock, limits } = this.#settings;
    const { uid, resourceVersion } = verdict;
    let error: unknown;
    try {
      await client.json({ ...patchOf(verdict, status, signal), timeoutMs: limits.requestMs });
    } catch (caught) {
      // It has changed, or is gone: the watch brings the news.
      const isOutdated = isKubernetesError(caught, 'ERR_KUBE_CONFLICT', 'ERR_KUBE_NOT_FOUND');
      if (!isOutdated) error = caught;
    }
    this.#attempts.set(uid, { resourceVersion, hasFailed: error !== undefined, atMs: clock.monotonic() });
    return error;
  }
}

/** Of that version of the object, and no other. */
function patchOf({ namespace, name, resourceVersion }: PolicyVerdict, status: object, signal: AbortSignal) {
  const policies = `/apis/security.quantum.io/v1/namespaces/${encodeURIComponent(namespace)}/quantumsecuritypolicies`;
  return {
    method: 'PATCH',
    path: `${policies}/${encodeURIComponent(name)}/status`,
    contentType: 'application/merge-patch+json',
    body: { metadata: { resourceVersion }, status },
    signal,
  } as const;
}
