// The policies of the mesh, as the API server has them.

import type { MeshOptions } from '../../model/build.ts';
import type { Policy } from '../../model/mesh.ts';
import { formatProblem } from '../../model/problem.ts';
import type { KubeClient } from '../../sources/kubernetes/cluster/client.ts';
import type { PolicyVerdict } from '../../sources/kubernetes/mesh/policy-verdicts.ts';
import { watchKubernetes } from '../../sources/kubernetes/source.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { Readiness } from '../../telemetry/readiness.ts';
import { AdmissionError } from '../errors.ts';

export interface PoliciesOptions {
  readonly client: KubeClient;
  readonly mesh: MeshOptions;
  readonly log: Logger;
  readonly metrics: Pick<Metrics, 'sourceUpdates' | 'sourceObjects'>;
  readonly readiness: Readiness<'policies' | 'certificate'>;
  readonly signal: AbortSignal;
}

/** The policies of the moment; the same list until one of them changes. @throws AdmissionError while they are not known */
type PoliciesOf = () => readonly Policy[];

export interface WatchedPolicies {
  readonly current: PoliciesOf;
  /** Resolves when they are known; never rejects. */
  readonly ready: Promise<void>;
  /** What became of each; undefined: not at the moment. */
  readonly verdicts: () => readonly PolicyVerdict[] | undefined;
}

/** Resolves after the first look, be it good or bad: `readiness` and the log say which. */
export async function watchPolicies(options: PoliciesOptions): Promise<WatchedPolicies> {
  const { client, mesh, log, metrics, readiness, signal } = options;
  let policies: readonly Policy[] | undefined;
  const known = Promise.withResolvers<void>();
  const source = await watchKubernetes({
    ...{ client, mesh, signal, kinds: ['QuantumSecurityPolicy'] },
    report: {
      problem: (problem) => {
        if (problem.severity === 'error') metrics.sourceUpdates.inc({ result: 'rejected' });
        log[problem.severity === 'error' ? 'error' : 'warn']({ code: problem.code }, formatProblem(problem));
      },
      mended: () => log.info('the policies are in order again'),
      failed: (_, { code, message }) =>
        log.warn({ code }, `${message}; the policies that are known stay in force, and it is tried again`),
      recovered: () => log.info('the API server can be read again'),
    },
  });
  const take = (): void => {
    const state = source.current();
    if (state === undefined) return;
    policies = [...state.policies.values()];
    metrics.sourceUpdates.inc({ result: 'applied' });
    metrics.sourceObjects.set({ kind: 'policy' }, policies.length);
    readiness.ready('policies');
    known.resolve();
    log.info({ policies: policies.length }, 'the policies have changed');
  };
  readiness.notReady('policies', 'they could not be read from the API server yet; see the log');
  take();
  source.onChange(take);
  const current = () => {
    if (policies !== undefined) return policies;
    // Without them everything would be let in.
    throw new AdmissionError(
      'ERR_POLICIES_UNKNOWN',
      'the policies are not known yet, because the API server could not be read; try again',
    );
  };
  return { current, ready: known.promise, verdicts: () => source.policyVerdicts() };
}
