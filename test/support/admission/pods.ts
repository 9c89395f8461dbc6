// Pods, and what makes pods, as people write them; and what the API server says to them.

import type { Kube, KubeAnswer, KubectlResult } from '../kube.ts';

export const app = (image: string, more: object = {}) => ({ name: 'app', image, ...more });
export const podSpec = (image: string, more: object = {}) => ({ containers: [app(image)], ...more });

export const strategicMerge = { contentType: 'application/strategic-merge-patch+json' };
export const jsonMerge = { contentType: 'application/merge-patch+json' };

/** `kubectl apply -f -` */
export async function apply(kube: Kube, object: object, ...args: readonly string[]): Promise<KubectlResult> {
  return await kube.kubectl(['apply', '-f', '-', ...args], { stdin: JSON.stringify(object) });
}

export function podManifest(namespace: string, name: string, spec: object, metadata: object = {}): object {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { namespace, name, ...metadata }, spec };
}

export const podPath = (namespace: string, name: string) => `/api/v1/namespaces/${namespace}/pods/${name}`;

/** What is said to whoever is refused. */
export function messageOf({ body }: KubeAnswer): string {
  const { message } = body as { readonly message?: unknown };
  return typeof message === 'string' ? message : '';
}

interface StoredPod {
  readonly metadata: { readonly deletionTimestamp?: string; readonly labels?: Record<string, string> };
  readonly spec: {
    readonly containers: readonly { readonly image: string }[];
    readonly initContainers?: readonly { readonly name: string; readonly image: string }[];
    readonly ephemeralContainers?: readonly { readonly image: string }[];
    readonly volumes?: readonly { readonly image?: { readonly reference: string } }[];
  };
}

/** As it is stored; undefined where there is none. */
export async function storedPod(kube: Kube, namespace: string, name: string): Promise<StoredPod | undefined> {
  const { status, body } = await kube.request('GET', podPath(namespace, name));
  return status === 200 ? (body as StoredPod) : undefined;
}

/** Images of its containers. */
export async function imagesOf(kube: Kube, namespace: string, name: string): Promise<readonly string[]> {
  const pod = await storedPod(kube, namespace, name);
  return pod?.spec.containers.map(({ image }) => image) ?? [];
}

const selector = { matchLabels: { app: 'a' } };

/** The kinds that make pods from a template, with paths of their API and the spec around a pod's. */
export const workloadKinds: readonly (readonly [
  kind: string,
  apiVersion: string,
  plural: string,
  around: (spec: object) => object,
])[] = [
  ['Deployment', 'apps/v1', 'deployments', (spec) => ({ selector, template: labelled(spec), replicas: 0 })],
  ['StatefulSet', 'apps/v1', 'statefulsets', (spec) => ({ selector, template: labelled(spec), replicas: 0 })],
  ['DaemonSet', 'apps/v1', 'daemonsets', (spec) => ({ selector, template: labelled(spec) })],
  ['ReplicaSet', 'apps/v1', 'replicasets', (spec) => ({ selector, template: labelled(spec), replicas: 0 })],
  [
    'ReplicationController',
    'v1',
    'replicationcontrollers',
    (spec) => ({ selector: { app: 'a' }, template: labelled(spec), replicas: 0 }),
  ],
  ['Job', 'batch/v1', 'jobs', (spec) => ({ suspend: true, template: once(spec) })],
  [
    'CronJob',
    'batch/v1',
    'cronjobs',
    (spec) => ({ schedule: '@yearly', suspend: true, jobTemplate: { spec: { template: once(spec) } } }),
  ],
];

const labelled = (spec: object) => ({ metadata: { labels: { app: 'a' } }, spec });
const once = (spec: object) => ({ spec: { ...spec, restartPolicy: 'Never' } });
