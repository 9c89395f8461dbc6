// The Kubernetes source against a real API server, with no more rights than it needs.

import { isDeepStrictEqual } from 'node:util';
import { buildMeshState, type MeshOptions } from '../../src/model/build.ts';
import type { MeshState } from '../../src/model/mesh.ts';
import { formatProblem } from '../../src/model/problem.ts';
import { createMeshManifestParser } from '../../src/policy/manifest-parser.ts';
import { readCustomResourceDefinitions } from '../../src/sources/crds.ts';
import type { ClusterAccess } from '../../src/sources/kubernetes/cluster/access.ts';
import { createKubeClient, type KubeClient } from '../../src/sources/kubernetes/cluster/client.ts';
import { defaultLimits, type Limits } from '../../src/sources/kubernetes/limits.ts';
import { resourceTypes } from '../../src/sources/kubernetes/reflect/resource-type.ts';
import { type KubernetesSource, watchKubernetes } from '../../src/sources/kubernetes/source.ts';
import { onEnd } from '../support/cleanup.ts';
import type { Kube } from '../support/kube.ts';
import { until } from '../support/until.ts';

export const meshOptions: MeshOptions = {
  trustDomain: 'cluster.local',
  rootNamespace: 'trellis-system',
  parse: createMeshManifestParser(await readCustomResourceDefinitions()),
};

/** Retries at once: what is tested is that it comes back, not when. */
const impatient: Partial<Limits> = {
  firstRetryMs: 20,
  maxRetryMs: 200,
  debounceMs: 10,
  shortWatchMs: 100,
};

export interface TestSource {
  readonly source: KubernetesSource;
  /** Error codes and recoveries by kind, and errors of objects, in order. */
  readonly said: readonly string[];
  /** In full, of the same errors. */
  readonly messages: readonly string[];
}

export interface SourceOptions {
  readonly limits?: Partial<Limits>;
  /** Instead of the API server's own port. */
  readonly port?: number;
  readonly token?: string;
}

/** Resolves with its first state in place and all watches open; only what it says from then on is kept. */
export async function startSource(kube: Kube, options: SourceOptions = {}): Promise<TestSource> {
  const said: string[] = [];
  const messages: string[] = [];
  const controller = new AbortController();
  const limits = { ...impatient, ...options.limits };
  const client = clientOf(kube, { ...options, limits });
  onEnd(() => controller.abort());
  const source = await watchKubernetes({
    client,
    mesh: meshOptions,
    limits,
    signal: controller.signal,
    report: {
      failed: (type, error) => {
        said.push(`${type.kind} ${error.code}`);
        messages.push(`${type.kind} ${error.message}`);
      },
      recovered: (type) => said.push(`${type.kind} recovered`),
      problem: (problem) => {
        // Most of the objects here refer to nothing.
        if (problem.severity === 'error') said.push(formatProblem(problem));
      },
      mended: () => said.push('mended'),
    },
  });
  // A server that has just started refuses some kinds at first.
  await until('the watches', () =>
    source.health().resources.every(({ heardAt, failing }) => heardAt !== undefined && failing === undefined),
  );
  said.length = 0;
  messages.length = 0;
  return { source, said, messages };
}

function clientOf(kube: Kube, options: SourceOptions = {}): KubeClient {
  const client = createKubeClient(accessTo(kube, options), { ...defaultLimits, ...options.limits });
  onEnd(() => client.close());
  return client;
}

function accessTo(kube: Kube, { port, token }: Omit<SourceOptions, 'limits'> = {}): ClusterAccess {
  return {
    server: new URL(`https://${kube.host}:${port ?? kube.port}`),
    ca: { text: kube.ca },
    token: { text: token ?? kube.token },
    ...{ tlsServerName: undefined, client: undefined, namespace: undefined },
  };
}

/** What a state is that is made of everything that is there now, by lists alone. */
async function stateOfServer(kube: Kube): Promise<MeshState> {
  const lists = await Promise.all(
    resourceTypes.map(async ({ path, kind, apiVersion }) => {
      // A server that has just started serves custom resources a moment after it says that it is ready.
      const items = await until(path, async () => {
        const { status, body } = await kube.request('GET', path);
        return status === 200 && (body as { items: readonly object[] }).items;
      });
      return items.map((item) => ({ content: { ...item, kind, apiVersion } }));
    }),
  );
  const { state, problems } = buildMeshState(lists.flat(), meshOptions);
  if (state === undefined) throw new Error(JSON.stringify(problems));
  return state;
}

/** Waits until the source has what the API server has, and returns it. */
export async function untilEqual(kube: Kube, source: KubernetesSource): Promise<MeshState> {
  const expected = await stateOfServer(kube);
  return await until('the state of the API server', () => {
    const state = source.current();
    return isDeepStrictEqual(state, expected) ? state : undefined;
  });
}

export const quantumServices = '/apis/quantum.io/v1/namespaces/default/quantumservices';

export function quantumService(name: string, app = name): object {
  return {
    apiVersion: 'quantum.io/v1',
    kind: 'QuantumService',
    metadata: { name },
    spec: { selector: { matchLabels: { app } } },
  };
}

/** So many at a time: one after the other takes long. */
const parallel = 20;

export async function inParallel<T>(items: readonly T[], run: (item: T) => Promise<unknown>): Promise<void> {
  const rest = items[Symbol.iterator]();
  const workers = Array.from({ length: parallel }, async () => {
    for (const item of rest) await run(item);
  });
  await Promise.all(workers);
}
