// The desired state as the control plane sees it, from a directory or an API server: watched, logged, counted.

import type { MeshOptions } from '../model/build.ts';
import type { MeshState } from '../model/mesh.ts';
import { formatProblem, type Problem } from '../model/problem.ts';
import { createMeshManifestParser } from '../policy/manifest-parser.ts';
import { readCustomResourceDefinitions } from '../sources/crds.ts';
import { type ManifestSource, watchManifests } from '../sources/files/watch.ts';
import type { KubeClient } from '../sources/kubernetes/cluster/client.ts';
import { watchKubernetes } from '../sources/kubernetes/source.ts';
import { componentLogger, type Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Readiness } from '../telemetry/readiness.ts';

/** Where the desired state comes from. */
export type DesiredState =
  | { readonly from: 'files'; readonly directory: string }
  /** The client stays its owner's, who closes it. */
  | { readonly from: 'kubernetes'; readonly client: KubeClient };

export interface MeshSourceOptions {
  readonly desired: DesiredState;
  readonly trustDomain: string;
  readonly rootNamespace: string;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly readiness: Readiness<'state' | 'ca'>;
  /** Ends the watch. */
  readonly signal: AbortSignal;
}

/** Resolves after the first look, be it good or bad: readiness and log say which. */
export async function watchMesh(options: MeshSourceOptions): Promise<ManifestSource> {
  const { desired, metrics, readiness } = options;
  const log = componentLogger(options.log, desired.from === 'files' ? 'manifests' : 'kubernetes');
  const source = await openSource(options, log);
  const applied = (state: MeshState): void => {
    metrics.sourceUpdates.inc({ result: 'applied' });
    metrics.sourceObjects.set({ kind: 'workload' }, state.workloads.size);
    metrics.sourceObjects.set({ kind: 'service' }, state.services.size);
    metrics.sourceObjects.set({ kind: 'policy' }, state.policies.size);
    metrics.sourceObjects.set({ kind: 'quantum_service' }, state.quantumServices.size);
    readiness.ready('state');
    log.info(
      { workloads: state.workloads.size, services: state.services.size, policies: state.policies.size },
      'the mesh has changed',
    );
  };
  const first = source.current();
  if (first === undefined) readiness.notReady('state', noState[desired.from]);
  else applied(first);
  source.onChange(applied);
  return source;
}

const noState = {
  files: 'the manifests have errors; see the log',
  kubernetes: 'not everything could be read from the API server yet; see the log',
} as const;

async function openSource(options: MeshSourceOptions, log: Logger): Promise<ManifestSource> {
  const { desired, trustDomain, rootNamespace, metrics, signal } = options;
  const parse = createMeshManifestParser(await readCustomResourceDefinitions());
  const mesh: MeshOptions = { trustDomain, rootNamespace, parse };
  const problem = (each: Problem): void => {
    if (each.severity === 'error') metrics.sourceUpdates.inc({ result: 'rejected' });
    log[each.severity === 'error' ? 'error' : 'warn']({ code: each.code }, formatProblem(each));
  };
  const mended = (): void => log.info('the manifests are in order again');
  if (desired.from === 'files') {
    const ignoredKind = ({ kind }: { readonly kind: string }): void =>
      log.info({ kind }, 'manifests of this kind are not read');
    const report = { problem, ignoredKind, recovered: mended };
    return await watchManifests({ directory: desired.directory, mesh, report, signal });
  }
  return await watchKubernetes({
    client: desired.client,
    mesh,
    signal,
    report: {
      ...{ problem, mended },
      failed: ({ kind }, { code, message }) =>
        log.warn(
          { kind, code },
          `${message}; what is known of ${kind} stays in force, and it is tried again`,
        ),
      recovered: ({ kind }) => log.info({ kind }, 'the API server can be read again'),
    },
  });
}
