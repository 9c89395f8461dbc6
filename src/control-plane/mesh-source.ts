// The manifests as the control plane sees them: watched, logged, counted.

import type { MeshState } from '../model/mesh.ts';
import { formatProblem } from '../model/problem.ts';
import { createMeshManifestParser } from '../policy/manifest-parser.ts';
import { readCustomResourceDefinitions } from '../sources/crds.ts';
import { type ManifestSource, watchManifests } from '../sources/files/watch.ts';
import { componentLogger, type Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Readiness } from '../telemetry/readiness.ts';

export interface MeshSourceOptions {
  readonly manifestsDirectory: string;
  readonly trustDomain: string;
  readonly rootNamespace: string;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly readiness: Readiness<'state' | 'ca'>;
  /** Ends the watch. */
  readonly signal: AbortSignal;
}

export async function watchMesh(options: MeshSourceOptions): Promise<ManifestSource> {
  const { metrics, readiness, signal } = options;
  const log = componentLogger(options.log, 'manifests');
  const parse = createMeshManifestParser(await readCustomResourceDefinitions());
  const source = await watchManifests({
    directory: options.manifestsDirectory,
    mesh: { trustDomain: options.trustDomain, rootNamespace: options.rootNamespace, parse },
    report: {
      problem: (problem) => {
        if (problem.severity === 'error') metrics.sourceUpdates.inc({ result: 'rejected' });
        log[problem.severity === 'error' ? 'error' : 'warn']({ code: problem.code }, formatProblem(problem));
      },
      ignoredKind: ({ kind }) => log.info({ kind }, 'manifests of this kind are not read'),
      recovered: () => log.info('the manifests are in order again'),
    },
    signal,
  });
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
  if (first === undefined) readiness.notReady('state', 'the manifests have errors; see the log');
  else applied(first);
  source.onChange(applied);
  return source;
}
