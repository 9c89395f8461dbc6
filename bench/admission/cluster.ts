// One API server, and namespaces in it that differ in who is asked about their pods: nobody, a webhook that does nothing, or ours, as
// the chart installs it. They are called at once one after the other, by the same API server, without anything in between.

import { createNamespace, startReplica, webhookName, writeKubeconfig } from '../../test/support/admission.ts';
import { onEnd } from '../../test/support/cleanup.ts';
import {
  chartDirectory,
  containerArgs,
  imageValues,
  one,
  releaseNamespace,
  render,
  startHelm,
} from '../../test/support/helm.ts';
import { type Kube, startKube } from '../../test/support/kube.ts';
import { freePort } from '../../test/support/ports.ts';
import { makeTls } from '../../test/support/registry/tls.ts';
import { until } from '../../test/support/until.ts';
import { node, Program } from '../measure/program.ts';
import type { Target } from './poster.ts';

/** By whom pods are validated and mutated. */
const webhooksOf = {
  nobody: {},
  'no-op-validates': { validate: 'no-op' },
  'ours-validates': { validate: 'ours' },
  'no-op-both': { validate: 'no-op', mutate: 'no-op' },
  /** The no-op server answers as if it had thought about it. */
  'same-patch-both': { validate: 'no-op', mutate: 'same-patch' },
  'ours-both': { validate: 'ours', mutate: 'ours' },
} as const;
export type Namespace = keyof typeof webhooksOf;
export const namespaces = Object.keys(webhooksOf) as readonly Namespace[];

/** A webhook's process, and how it is asked without an API server. */
export interface Contestant extends Target {
  readonly pid: number;
}

export interface Cluster {
  readonly ours: Contestant;
  readonly noOp: Contestant;
  /** A dry run: everything but writing it. @returns the pod that it would have been; rejects when it is refused */
  createPod(namespace: Namespace, pod: object): Promise<object>;
  /** What the no-op webhook was asked last. */
  lastReview(): Promise<string>;
  /** What it answers from now on where it is to answer with a patch. @param patch base64 of the JSON */
  answerWith(patch: string): void;
}

export interface ClusterOptions {
  readonly directory: string;
  /** Registry without TLS. */
  readonly plainHttp: string;
  /** Of the policy for the whole mesh, which wants a sidecar too. */
  readonly imageRules: readonly object[];
}

const kinds = { validate: 'validatingwebhookconfigurations', mutate: 'mutatingwebhookconfigurations' };
type Webhook = keyof typeof kinds;
const webhooks = Object.keys(kinds) as readonly Webhook[];
type Who = 'ours' | 'no-op' | 'same-patch';
const configurations = '/apis/admissionregistration.k8s.io/v1';
const noOpService = 'no-op';
/** Of a process that starts, and makes its first certificate. */
const readyTimeoutMs = 60_000;

/** Resolves when all webhooks answer. What is started ends with `endAll`, and with this process. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const kube = await startKube({ controllerManager: true });
  for (const name of namespaces) await createNamespace(kube, name, webhooksOf[name]);
  const ours = await startOurs(kube, options);
  const { program, ...noOp } = await startNoOp(kube);
  const createPod: Cluster['createPod'] = async (namespace, pod) => {
    const path = `/api/v1/namespaces/${namespace}/pods?dryRun=All`;
    const { status, body } = await kube.request('POST', path, pod);
    if (status !== 201) throw new Error(`a pod in ${namespace}: ${status} ${JSON.stringify(body)}`);
    return body as object;
  };
  return {
    ...{ ours, noOp, createPod },
    lastReview: async () => {
      program.send('');
      return JSON.parse(await program.line()) as string;
    },
    answerWith: (patch) => program.send(patch),
  };
}

async function startOurs(
  kube: Kube,
  { directory, plainHttp, imageRules }: ClusterOptions,
): Promise<Contestant> {
  const helm = await startHelm(kube.kubeconfig);
  const policy = { enforcement: 'enforce', postQuantumEncryption: 'required', images: imageRules };
  const values = {
    image: imageValues,
    sidecar: { image: `registry.example/envoy@sha256:${'e'.repeat(64)}` },
    defaultPolicy: { spec: policy },
  };
  await kube.create('/api/v1/namespaces', { metadata: { name: releaseNamespace } });
  const install = ['install', 'trellis', chartDirectory, '--namespace', releaseNamespace];
  const installed = await helm(install, values);
  if (installed.status !== 0) throw new Error(installed.stderr);
  const replica = await startReplica({
    ...{ index: 0, directory, plainHttp: [plainHttp], port: await freePort() },
    kubeconfig: await writeKubeconfig(kube, directory),
    chartArgs: containerArgs(one(await render(helm, values), 'Deployment', webhookName)),
  });
  await leadTo(kube, webhookName, replica.port);
  for (const webhook of webhooks) {
    const service = { namespace: releaseNamespace, name: webhookName, port: replica.port };
    await patchConfiguration(kube, webhook, [
      {
        name: `${webhook}.trellis.quantum.io`,
        clientConfig: { service },
        namespaceSelector: selectorOf(webhook, 'ours'),
      },
    ]);
  }
  await until('the webhook', () => replica.isReady(), readyTimeoutMs);
  return {
    pid: replica.program.pid,
    url: `https://${replica.host}:${replica.port}`,
    serverName: `${webhookName}.${releaseNamespace}.svc`,
    ca: await until('its CA', () => trustedCa(kube)),
  };
}

async function startNoOp(kube: Kube): Promise<Contestant & { readonly program: Program }> {
  const serverName = `${noOpService}.${releaseNamespace}.svc`;
  const { ca, certFile, keyFile } = await makeTls(serverName);
  const port = await freePort();
  const script = new URL('./no-op-server.ts', import.meta.url);
  const program = await Program.start({
    name: noOpService,
    ...node(script, certFile, keyFile, String(port)),
  });
  onEnd(() => program.stop());
  await leadTo(kube, noOpService, port);
  const call = (webhook: Webhook, path: string, who: Who): object => ({
    name: `${who}.${webhook}.example`,
    clientConfig: {
      service: { namespace: releaseNamespace, name: noOpService, port, path },
      caBundle: Buffer.from(ca).toString('base64'),
    },
    namespaceSelector: selectorOf(webhook, who),
    rules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'] }],
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
    // As ours: a patch makes the API server ask once more when its own plugins change what came of it.
    ...(webhook === 'mutate' && { reinvocationPolicy: 'IfNeeded' }),
  });
  const calls = {
    validate: [call('validate', '/validate', 'no-op')],
    mutate: [call('mutate', '/mutate', 'no-op'), call('mutate', '/patch', 'same-patch')],
  };
  for (const webhook of webhooks) {
    const configuration = { metadata: { name: noOpService }, webhooks: calls[webhook] };
    await kube.create(`${configurations}/${kinds[webhook]}`, configuration);
  }
  return { program, pid: program.pid, url: `https://127.0.0.1:${port}`, ca, serverName };
}

function selectorOf(webhook: Webhook, who: Who): object {
  return { matchExpressions: [{ key: webhook, operator: 'In', values: [who] }] };
}

/** Nobody routes to cluster IPs here, but this kind of Service is a name. */
async function leadTo(kube: Kube, service: string, port: number): Promise<void> {
  const path = `/api/v1/namespaces/${releaseNamespace}/services`;
  await kube.request('DELETE', `${path}/${service}`);
  const spec = { type: 'ExternalName', externalName: '127.0.0.1', ports: [{ port }] };
  await kube.create(path, { metadata: { name: service }, spec });
}

async function patchConfiguration(kube: Kube, webhook: Webhook, changes: readonly object[]): Promise<void> {
  const path = `${configurations}/${kinds[webhook]}/${webhookName}`;
  const contentType = 'application/strategic-merge-patch+json';
  const { status, body } = await kube.request('PATCH', path, { webhooks: changes }, { contentType });
  if (status !== 200) throw new Error(`${path}: ${JSON.stringify(body)}`);
}

/** What API servers trust when they call ours. */
async function trustedCa(kube: Kube): Promise<string | undefined> {
  const path = `${configurations}/${kinds.validate}/${webhookName}`;
  const { body } = await kube.request('GET', path);
  const { webhooks: found } = body as {
    readonly webhooks: readonly { readonly clientConfig: { readonly caBundle?: string } }[];
  };
  const caBundle = found[0]?.clientConfig.caBundle;
  return caBundle ? Buffer.from(caBundle, 'base64').toString('utf8') : undefined;
}
