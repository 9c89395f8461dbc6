// Reports, pods and namespaces as an API server has them, in memory.

import type { KubeRequest } from '../../../../src/sources/kubernetes/cluster/client.ts';
import { KubernetesError } from '../../../../src/sources/kubernetes/errors.ts';
import { FakeKube } from '../../../support/fake-kube.ts';

interface Stored {
  readonly metadata: Readonly<Record<string, unknown>>;
}

const groups = {
  'openreports.io/v1alpha1': { plural: 'reports', kind: 'Report' },
  'wgpolicyk8s.io/v1alpha2': { plural: 'policyreports', kind: 'PolicyReport' },
} as const;

type Group = keyof typeof groups;

const notFound = () => new KubernetesError('ERR_KUBE_NOT_FOUND', 'not found');

export class FakeCluster extends FakeKube {
  /** By path. */
  readonly reports = new Map<string, Stored>();
  /** By namespace; none: an empty one. */
  readonly namespaces = new Map<string, object[]>();
  readonly groups = new Set<Group>(['openreports.io/v1alpha1']);
  /** Throws, or does something first, before a request is answered. */
  before: (request: KubeRequest) => unknown = () => {};
  #version = 0;

  constructor() {
    super();
    this.handle = async (request) => {
      await this.before(request);
      return this.#answer(request);
    };
  }

  /** Requests that write, as `METHOD path`. */
  writes(): readonly string[] {
    return this.requests
      .filter(({ method = 'GET' }) => method !== 'GET')
      .map(({ method, path }) => `${method} ${path}`);
  }

  report(namespace: string, group: Group = 'openreports.io/v1alpha1'): Stored | undefined {
    return this.reports.get(
      `/apis/${group}/namespaces/${namespace}/${groups[group].plural}/trellis-admission`,
    );
  }

  #answer(request: KubeRequest): unknown {
    const { path, query = {} } = request;
    const group = this.#groupOf(path);
    if (group !== undefined) return group;
    if (path === '/api/v1/namespaces') {
      const items = [...this.namespaces.keys()].map((name) => ({ metadata: { name } }));
      return { kind: 'NamespaceList', metadata: { resourceVersion: '1' }, items };
    }
    const [, namespace] = /^\/api\/v1\/namespaces\/([^/]+)\/pods$/.exec(path) ?? [];
    if (namespace !== undefined) return this.#page(namespace, query);
    return this.#ofReport(request);
  }

  #groupOf(path: string): object | undefined {
    for (const [name, { plural, kind }] of Object.entries(groups)) {
      if (path !== `/apis/${name}`) continue;
      if (!this.groups.has(name as Group)) throw notFound();
      return { kind: 'APIResourceList', resources: [{ name: plural, kind, namespaced: true }] };
    }
    return undefined;
  }

  #page(namespace: string, query: NonNullable<KubeRequest['query']>): object {
    const pods = this.namespaces.get(namespace) ?? [];
    const start = Number(query['continue'] ?? 0);
    const end = start + Number(query['limit']);
    const metadata = { resourceVersion: '1', ...(end < pods.length && { continue: String(end) }) };
    return { kind: 'PodList', metadata, items: pods.slice(start, end) };
  }

  #ofReport({ method = 'GET', path, body }: KubeRequest): unknown {
    if (method === 'POST') return this.#create(`${path}/trellis-admission`, body as Stored);
    const existing = this.reports.get(path);
    if (existing === undefined) throw notFound();
    if (method === 'GET') return existing;
    if (method === 'DELETE') return this.#delete(path, existing, body);
    return this.#replace(path, existing, body as Stored);
  }

  #delete(path: string, existing: Stored, options: unknown): object {
    const { preconditions } = options as { preconditions: Readonly<Record<string, unknown>> };
    this.#check(existing, preconditions['resourceVersion']);
    if (existing.metadata['finalizers'] === undefined) this.reports.delete(path);
    else this.#store(path, { ...existing, metadata: { ...existing.metadata, deletionTimestamp: 'now' } });
    return { kind: 'Status' };
  }

  #replace(path: string, existing: Stored, object: Stored): Stored {
    this.#check(existing, object.metadata['resourceVersion']);
    const { deletionTimestamp } = existing.metadata;
    if (deletionTimestamp === undefined) return this.#store(path, object);
    const stored = this.#store(path, { ...object, metadata: { ...object.metadata, deletionTimestamp } });
    // The last finalizer of what is being deleted was all that kept it.
    if (object.metadata['finalizers'] === undefined) this.reports.delete(path);
    return stored;
  }

  #create(path: string, object: Stored): Stored {
    if (this.reports.has(path)) throw new KubernetesError('ERR_KUBE_CONFLICT', 'it exists already');
    return this.#store(path, object);
  }

  #check(existing: Stored, resourceVersion: unknown): void {
    if (existing.metadata['resourceVersion'] === resourceVersion) return;
    throw new KubernetesError('ERR_KUBE_CONFLICT', 'the object has been modified');
  }

  #store(path: string, object: Stored): Stored {
    this.#version += 1;
    const metadata = { uid: 'uid', ...object.metadata, resourceVersion: String(this.#version) };
    const stored = { ...structuredClone(object), metadata };
    this.reports.set(path, stored);
    return stored;
  }
}

export function pod(
  name: string,
  more: { readonly images?: readonly string[]; readonly phase?: string } = {},
) {
  const { images = [`registry.example/${name}`], phase = 'Running' } = more;
  return {
    metadata: { namespace: 'trading', name, uid: `uid-of-${name}` },
    spec: { containers: images.map((image, index) => ({ name: `c${index}`, image })) },
    status: { phase },
  };
}
