// Whether a policy is in force, said where its author looks: the condition Ready of its status. The API server takes what the schema of the
// CustomResourceDefinition allows; what else is wrong with it is found out here, after `kubectl apply` has said that all is well.

import { isDeepStrictEqual } from 'node:util';
import { isRecord, ownField } from '../../model/manifest.ts';
import { type Clock, systemClock } from '../../sources/kubernetes/clock.ts';
import type { KubeClient } from '../../sources/kubernetes/cluster/client.ts';
import { isKubernetesError } from '../../sources/kubernetes/errors.ts';
import type { PolicyVerdict } from '../../sources/kubernetes/mesh/policy-verdicts.ts';
import type { Usability } from '../images/policies/usability.ts';
import { shortenChars } from '../review/shorten.ts';
import { isAboutServer } from './failures.ts';
import {
  defaultUsabilityLimits,
  type FindUsability,
  PolicyUsability,
  type UsabilityLimits,
} from './policy-usability.ts';

export interface PolicyStatusLimits extends UsabilityLimits {
  /** Between two looks, in milliseconds. */
  readonly pollMs: number;
  /** Between two writes, so that a new leader does not write everything at once. */
  readonly pauseMs: number;
  /** After a write that failed, for that policy alone. */
  readonly retryMs: number;
  /** For one write. */
  readonly requestMs: number;
  /** Policies one after the other for which the API server has no answer until the look is given up. */
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
  /** Of a policy that fails again and again, the first time; of several in one look, the first. */
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
    await writer.look();
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

  async look(): Promise<void> {
    const { isLeader, verdicts, failed, signal, clock, limits } = this.#settings;
    const all = verdicts();
    if (all === undefined) return;
    await this.#usability.look(all);
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

  /** Those that were not tried for the longest time first: after a look that was given up, those behind have their turn. */
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

/** Of the CustomResourceDefinition, 4,096; this is enough to mend one thing after the other. */
const maxMessageChars = 2_000;

/** What is to be written; undefined where the object says so already, or it is not known yet what to say. */
export function statusOf(
  verdict: PolicyVerdict,
  usability: Usability | undefined,
  now: Date,
): object | undefined {
  const { generation, status } = verdict;
  const finding = verdict.inForce ? usability && usabilityFinding(usability) : findingOf(verdict);
  if (finding === undefined) return undefined;
  const conditions = ownField(status, 'conditions');
  const all = Array.isArray(conditions) ? conditions.filter(isRecord) : [];
  const before = all.find(({ type }) => type === 'Ready');
  const said = { type: 'Ready', ...finding, observedGeneration: generation };
  const since = ownField(before, 'lastTransitionTime');
  const hasChanged = before?.['status'] !== said.status || typeof since !== 'string';
  // Whole seconds are how Kubernetes writes it.
  const lastTransitionTime = hasChanged ? now.toISOString().replace(/\.\d+Z$/, 'Z') : since;
  const ready = { ...said, lastTransitionTime };
  const isSaid = isDeepStrictEqual({ ...before }, ready);
  if (isSaid && ownField(status, 'observedGeneration') === generation) return undefined;
  // A list is replaced as a whole: the conditions of others stay.
  return { observedGeneration: generation, conditions: [...all.filter((each) => each !== before), ready] };
}

interface ReadyFinding {
  readonly status: 'True' | 'False' | 'Unknown';
  /** One word, in CamelCase, as the schema has it. */
  readonly reason: string;
  readonly message: string;
}

const inForce = 'it is in force as it is written';

/** Of one that is in force: whether admission can judge by it. */
function usabilityFinding(usability: Usability): ReadyFinding {
  if (usability.kind === 'unusable') {
    const message = shortenChars(usability.problems.join('\n'), maxMessageChars);
    return { status: 'False', reason: 'PolicyUnusable', message };
  }
  if (usability.kind === 'unknown') {
    const { error } = usability;
    const why = shortenChars(error instanceof Error ? error.message : String(error), maxMessageChars);
    const message = `what it refers to could not be looked up: ${why}; it is tried again`;
    return { status: 'Unknown', reason: 'NotKnown', message };
  }
  const message = usability.hasKmsKeys
    ? `${inForce}; its keys in key management services are not asked for until an image needs them`
    : inForce;
  return { status: 'True', reason: 'InForce', message };
}

/** Of one that is not in force. */
function findingOf({ problems }: PolicyVerdict): ReadyFinding {
  const [first] = problems;
  if (first === undefined) {
    return {
      status: 'False',
      reason: 'InvalidObject',
      message: 'it cannot be used; the log of trellis webhook says why',
    };
  }
  const message = shortenChars(problems.map((problem) => problem.message).join('\n'), maxMessageChars);
  return { status: 'False', reason: first.code, message };
}
