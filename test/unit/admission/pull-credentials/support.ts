// An API server that has what a test puts there, and nothing else.

import { KubernetesError } from '../../../../src/sources/kubernetes/errors.ts';
import { FakeKube } from '../../../support/fake-kube.ts';

export interface Held {
  readonly client: FakeKube;
  /** By path. An error is thrown. */
  readonly objects: Map<string, unknown>;
  /** Paths, in order. */
  readonly asked: string[];
}

export function holding(objects: Readonly<Record<string, unknown>> = {}): Held {
  const held = new Map(Object.entries(objects));
  const asked: string[] = [];
  const client = new FakeKube(async ({ path, method = 'GET', signal }) => {
    signal.throwIfAborted();
    asked.push(method === 'GET' ? path : `${method} ${path}`);
    await Promise.resolve();
    const object = held.get(path);
    if (object instanceof Error) throw object;
    if (object === undefined) throw new KubernetesError('ERR_KUBE_NOT_FOUND', `GET ${path}: status 404`);
    return structuredClone(object);
  });
  return { client, objects: held, asked };
}

export const forbidden = new KubernetesError('ERR_KUBE_FORBIDDEN', 'status 403');

export const secretPath = (name: string, namespace = 'trading') =>
  `/api/v1/namespaces/${namespace}/secrets/${name}`;
export const accountPath = (name: string, namespace = 'trading') =>
  `/api/v1/namespaces/${namespace}/serviceaccounts/${name}`;

let versions = 0;

/** As `kubectl create secret docker-registry` makes it. */
export function pullSecret(user: string, registry = 'registry.example'): object {
  const auth = Buffer.from(`${user}:hunter2`).toString('base64');
  return secretOf('kubernetes.io/dockerconfigjson', {
    '.dockerconfigjson': JSON.stringify({ auths: { [registry]: { auth } } }),
  });
}

export function secretOf(type: string, data: Readonly<Record<string, string>>): object {
  versions += 1;
  return {
    ...{ type, metadata: { uid: `uid-${versions}`, resourceVersion: `${versions}` } },
    data: Object.fromEntries(
      Object.entries(data).map(([name, text]) => [name, Buffer.from(text).toString('base64')]),
    ),
  };
}
