// Whether a policy is in force, said where its author looks: the condition Ready of its status. The API server takes what the schema of the
// CustomResourceDefinition allows; what else is wrong with it is found out here, after `kubectl apply` has said that all is well.

import { isDeepStrictEqual } from 'node:util';
import { isRecord, ownField } from '../../model/manifest.ts';
import { type Clock, systemClock } from '../../sources/kubernetes/clock.ts';
import type { KubeClient } from '../../sources/kubernetes/cluster/client.ts';
import { KubernetesError, type KubernetesErrorCode } from '../../sources/kubernetes/errors.ts';
import type { PolicyVerdict } from '../../sources/kubernetes/mesh/policy-verdicts.ts';
import { shortenChars } from '../review/shorten.ts';

export interface PolicyStatusTiming {
  /** Between two looks. */
  readonly pollMs: number;
  /** Between two writes, so that a new leader does not write everything at once. */
  readonly pauseMs: number;
  /** After a write that failed. */
  readonly retryMs: number;
}

const defaultTiming: PolicyStatusTiming = { pollMs: 2_000, pauseMs: 100, retryMs: 60_000 };

export interface PolicyStatusOptions {
  readonly client: KubeClient;
  /** Asked before every write. */
  readonly isLeader: () => boolean;
  /** Undefined: not at the moment. */
  readonly verdicts: () => readonly PolicyVerdict[] | undefined;
  /** Of a series of failures, the first. */
  readonly failed: (error: unknown) => void;
  readonly signal: AbortSignal;
  readonly timing?: Partial<PolicyStatusTiming>;
  readonly clock?: Clock;
}

/** Writes what has changed, and nothing else. Resolves when `signal` is aborted; never rejects. */
export async function runPolicyStatus(options: PolicyStatusOptions): Promise<void> {
  const { verdicts, isLeader, signal, failed, clock = systemClock } = options;
  const timing = { ...defaultTiming, ...options.timing };
  /** By uid: what was written of which version. The next one comes by the watch. */
  let written: ReadonlyMap<string, string> = new Map();
  let isFailing = false;
  while (!signal.aborted) {
    const round = await writeRound(verdicts() ?? [], written, { ...options, clock, timing });
    written = round.written;
    if (round.error !== undefined && !isFailing && isLeader() && !signal.aborted) failed(round.error);
    isFailing = round.error !== undefined;
    await clock.sleep(isFailing ? timing.retryMs : timing.pollMs, signal);
  }
}

interface Round {
  readonly written: ReadonlyMap<string, string>;
  /** The last one; undefined: everything is written that has to be. */
  readonly error: unknown;
}

async function writeRound(
  verdicts: readonly PolicyVerdict[],
  before: ReadonlyMap<string, string>,
  options: PolicyStatusOptions & { readonly clock: Clock; readonly timing: PolicyStatusTiming },
): Promise<Round> {
  const { client, isLeader, signal, clock, timing } = options;
  // Of policies that are gone nothing is kept.
  const written = new Map(
    verdicts.flatMap(({ uid }): readonly [string, string][] => {
      const version = before.get(uid);
      return version === undefined ? [] : [[uid, version]];
    }),
  );
  let error: unknown;
  for (const verdict of verdicts) {
    const status = statusOf(verdict, clock.now());
    if (status === undefined || written.get(verdict.uid) === verdict.resourceVersion) continue;
    if (signal.aborted || !isLeader()) break;
    try {
      await client.json(patchOf(verdict, status, signal));
      written.set(verdict.uid, verdict.resourceVersion);
    } catch (caught) {
      if (isAbout(caught, 'outdated')) continue;
      error = caught;
      if (!isAbout(caught, 'refused')) break;
    }
    await clock.sleep(timing.pauseMs, signal);
  }
  return { written, error };
}

const codes: Readonly<Record<'outdated' | 'refused', readonly KubernetesErrorCode[]>> = {
  /** It has changed, or is gone: the watch brings the news. */
  outdated: ['ERR_KUBE_CONFLICT', 'ERR_KUBE_NOT_FOUND'],
  /** Somebody may not want the status of that one to be written. All else is not about one policy. */
  refused: ['ERR_KUBE_FORBIDDEN', 'ERR_KUBE_REFUSED'],
};

function isAbout(error: unknown, what: keyof typeof codes): boolean {
  return error instanceof KubernetesError && codes[what].includes(error.code);
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

/** What is to be written; undefined where the object says so already. */
export function statusOf(verdict: PolicyVerdict, now: Date): object | undefined {
  const { generation, status } = verdict;
  const conditions = ownField(status, 'conditions');
  const all = Array.isArray(conditions) ? conditions.filter(isRecord) : [];
  const before = all.find(({ type }) => type === 'Ready');
  const said = { type: 'Ready', ...findingOf(verdict), observedGeneration: generation };
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

function findingOf({ inForce, problems }: PolicyVerdict): {
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
} {
  if (inForce) return { status: 'True', reason: 'InForce', message: 'it is in force as it is written' };
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
