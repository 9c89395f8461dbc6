// The admission webhook as users have it: the chart installed by Helm on a real API server, `trellis webhook` as its own process with
// the arguments and the rights that the chart gives it and no others, and the API server calling it through the Service.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { type ServiceRoad, startServiceRoad } from './admission/service-road.ts';
import { onEnd } from './cleanup.ts';
import {
  chartDirectory,
  containerArgs,
  type Helm,
  imageValues,
  one,
  releaseNamespace,
  render,
  startHelm,
} from './helm.ts';
import { untilAccount } from './kube/account.ts';
import { writeAccess } from './kube/kubeconfig.ts';
import { type Program, startProgram } from './kube/program.ts';
import { startServiceNetwork } from './kube/service-network.ts';
import { type Kube, type KubeAnswer, type KubeOptions, startKube } from './kube.ts';
import { freePort } from './ports.ts';
import { until } from './until.ts';

export const webhookName = 'trellis-webhook';
const script = join(import.meta.dirname, '../../bin/trellis.js');
const webhookHost = '127.0.0.1';
/** Of a process that starts, and makes its first certificate. */
const readyTimeoutMs = 40_000;

type Env = Readonly<Record<string, string>>;

export interface AdmissionOptions {
  readonly kube?: KubeOptions;
  /** Of the chart. */
  readonly values?: object;
  /** More of `trellis webhook`; test registries are on loopback, without TLS. */
  readonly args?: readonly string[];
  readonly plainHttp?: readonly string[];
  /** Of --registry-address: all of loopback, where test registries are, unless given. */
  readonly registryAddresses?: readonly string[];
  readonly replicas?: number;
  /** Of each process. */
  readonly env?: Env | ((replica: number) => Env);
}

export interface Replica {
  readonly program: Program;
  /** Where it answers API servers. */
  readonly host: string;
  readonly port: number;
  /** Counters and gauges by name and labels, as Prometheus writes them. */
  metrics(): Promise<ReadonlyMap<string, number>>;
  isReady(): Promise<boolean>;
}

export interface AdmissionCluster {
  readonly kube: Kube;
  readonly helm: Helm;
  readonly replicas: readonly Replica[];
  /** Between the API server and the replicas. */
  readonly road: ServiceRoad;
  /** With a `default` service account in it. */
  createNamespace(name: string, labels?: Readonly<Record<string, string>>): Promise<void>;
  /** `kubectl apply`; rejects when it is refused. Resolves when every replica has it. */
  applyPolicy(namespace: string, name: string, spec: object): Promise<void>;
  deletePolicy(namespace: string, name: string): Promise<void>;
  createPod(namespace: string, name: string, spec: object, metadata?: object): Promise<KubeAnswer>;
  /** Resolves when every replica is ready. */
  ready(): Promise<void>;
}

export async function startAdmission(options: AdmissionOptions = {}): Promise<AdmissionCluster> {
  const network = await startServiceNetwork();
  const kube = await startKube({
    controllerManager: true,
    ...options.kube,
    apiServerArgs: [...network.apiServerArgs, ...(options.kube?.apiServerArgs ?? [])],
  });
  const helm = await startHelm(kube.kubeconfig);
  await kube.create('/api/v1/namespaces', { metadata: { name: releaseNamespace } });
  const installed = await helm(['install', 'trellis', chartDirectory, '--namespace', releaseNamespace], {
    image: imageValues,
    ...options.values,
  });
  if (installed.status !== 0) throw new Error(installed.stderr);
  const directory = await mkdtemp(join(tmpdir(), 'trellis-webhook-'));
  onEnd(() => rm(directory, { recursive: true, force: true }));
  const kubeconfig = await writeKubeconfig(kube, directory);
  const chartArgs = containerArgs(one(await render(helm, options.values), 'Deployment', webhookName));
  const replicas: Replica[] = [];
  const ports: number[] = [];
  for (let index = 0; index < (options.replicas ?? 1); index++) {
    const port = await freePort(webhookHost);
    ports.push(port);
    replicas.push(await startReplica({ ...options, index, port, kubeconfig, directory, chartArgs }));
  }
  const road = await startServiceRoad(webhookHost, ports);
  network.lead({ host: webhookHost, port: road.port });
  const cluster: AdmissionCluster = {
    ...{ kube, helm, replicas, road },
    createNamespace: (name, labels = {}) => createNamespace(kube, name, labels),
    applyPolicy: async (namespace, name, spec) => {
      const manifest = {
        apiVersion: 'security.quantum.io/v1',
        kind: 'QuantumSecurityPolicy',
        metadata: { namespace, name },
        spec,
      };
      await settled(replicas, () => kubectl(kube, ['apply', '-f', '-'], JSON.stringify(manifest)));
    },
    deletePolicy: async (namespace, name) => {
      const args = ['delete', 'quantumsecuritypolicy', '--namespace', namespace, name];
      await settled(replicas, () => kubectl(kube, args, ''));
    },
    createPod: (namespace, name, spec, metadata = {}) =>
      kube.request('POST', `/api/v1/namespaces/${namespace}/pods`, { metadata: { name, ...metadata }, spec }),
    ready: async () => {
      await until(
        'the webhook',
        async () => (await Promise.all(replicas.map((each) => each.isReady()))).every(Boolean),
        readyTimeoutMs,
      );
    },
  };
  await cluster.ready();
  await untilTrusted(kube);
  return cluster;
}

async function kubectl(kube: Kube, args: readonly string[], stdin: string): Promise<void> {
  const { status, stderr } = await kube.kubectl(args, { stdin });
  if (status !== 0) throw new Error(stderr);
}

/** Runs the change, and waits until every replica has taken policies over once more. */
async function settled(replicas: readonly Replica[], change: () => Promise<void>): Promise<void> {
  const count = async ({ metrics }: Replica) =>
    (await metrics()).get('trellis_source_updates_total{result="applied"}') ?? 0;
  const before = await Promise.all(replicas.map(count));
  await change();
  await until('the policies at the webhook', async () => {
    const now = await Promise.all(replicas.map(count));
    return now.every((each, index) => each > (before[index] ?? 0));
  });
}

/** With the rights that the chart gives. @returns its path */
export async function writeKubeconfig(kube: Kube, directory: string): Promise<string> {
  const token = await kube.tokenFor(releaseNamespace, webhookName);
  return await writeAccess(directory, { server: kube.url, caFile: kube.caFile, token });
}

export interface ReplicaOptions extends AdmissionOptions {
  readonly index: number;
  readonly port: number;
  readonly kubeconfig: string;
  readonly directory: string;
  /** Of the container that the chart would start. */
  readonly chartArgs: readonly string[];
}

/** Resolves when its process runs; it is not ready yet. */
export async function startReplica(options: ReplicaOptions): Promise<Replica> {
  const { index, port, kubeconfig, directory, plainHttp = [], args = [], env = {}, chartArgs } = options;
  const { registryAddresses = ['127.0.0.0/8'] } = options;
  const ownEnv = typeof env === 'function' ? env(index) : env;
  const metricsPort = await freePort(webhookHost);
  const logFile = join(directory, `webhook-${index}.log`);
  const program = await startProgram({
    path: process.execPath,
    args: [
      ...[script, ...chartArgs.filter(isForAnyProcess).map((arg) => inPod(arg, index))],
      ...['--kubeconfig', kubeconfig, '--listen', `${webhookHost}:${port}`],
      ...['--metrics', `${webhookHost}:${metricsPort}`],
      ...registryAddresses.flatMap((address) => ['--registry-address', address]),
      ...plainHttp.flatMap((host) => ['--plain-http', host]),
      ...args,
    ],
    env: { PATH: '/usr/bin:/bin', HOME: directory, ...ownEnv },
    logFile,
  });
  onEnd(() => program.stop());
  const get = async (path: string) => {
    const answer = await request(`http://${webhookHost}:${metricsPort}${path}`);
    return { status: answer.statusCode, text: await answer.body.text() };
  };
  return {
    ...{ program, host: webhookHost, port },
    metrics: async () => parseMetrics((await get('/metrics')).text),
    isReady: async () => {
      if (program.hasEnded()) throw new Error(`trellis webhook has ended: ${await program.log()}`);
      return await get('/readyz').then(
        ({ status }) => status === 200,
        () => false,
      );
    },
  };
}

function parseMetrics(text: string): ReadonlyMap<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }),
  );
}

/** A process of this machine has addresses of its own. */
function isForAnyProcess(arg: string): boolean {
  return !arg.startsWith('--listen=') && !arg.startsWith('--metrics=');
}

function inPod(arg: string, index: number): string {
  return arg.replace('$(POD_NAMESPACE)', releaseNamespace).replace('$(POD_NAME)', `webhook-${index}`);
}

/** API servers take a moment to see a changed configuration. */
async function untilTrusted(kube: Kube): Promise<void> {
  const pod = {
    metadata: { generateName: 'probe-' },
    spec: { containers: [{ name: 'a', image: 'registry.example/probe' }] },
  };
  await kube.create('/api/v1/namespaces', { metadata: { name: 'probe' } });
  await until('the API server to reach the webhook', async () => {
    const { status } = await kube.request('POST', '/api/v1/namespaces/probe/pods?dryRun=All', pod);
    return status === 201;
  });
}

/** With a `default` service account in it. */
export async function createNamespace(
  kube: Kube,
  name: string,
  labels: Readonly<Record<string, string>>,
): Promise<void> {
  await kube.create('/api/v1/namespaces', { metadata: { name, labels } });
  await untilAccount(kube, name);
}
