import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { MeshState, NamespacedName, Policy, Service, Workload } from '../../../src/model/mesh.ts';
import type { Layer, Snapshot } from '../../../src/xds/resources.ts';
import { typeUrls } from '../../../src/xds/resources.ts';
import { MeshSnapshots } from '../../../src/xds/snapshots.ts';
import { meshFromYaml } from '../../support/mesh-from-yaml.ts';

const base = meshFromYaml(await readFile(join(import.meta.dirname, '../../golden/cases/base.yaml'), 'utf8'));

function withService(state: MeshState, change: (service: Service) => Service): MeshState {
  const services = new Map(state.services);
  const service = services.get('shop/server');
  if (service === undefined) throw new Error('the base has no server');
  services.set('shop/server', change(service));
  return { ...state, services };
}

function withPolicy(state: MeshState, name: NamespacedName, spec: Policy['spec']): MeshState {
  const [namespace = '', own = ''] = name.split('/');
  return { ...state, policies: new Map([...state.policies, [name, { namespace, name: own, spec }]]) };
}

/** Everything in a layer, as `type name version`. */
function contents(layer: Layer): string[] {
  return [...layer.byType].flatMap(([type, resources]) =>
    [...resources.values()].map(
      (resource) => `${type.split('.').at(-1)} ${resource.name} ${resource.version}`,
    ),
  );
}

function changed(before: Layer, after: Layer): string[] {
  const known = new Set(contents(before));
  return contents(after)
    .filter((line) => !known.has(line))
    .map((line) => line.split(' ').slice(0, 2).join(' '));
}

function snapshots(state: MeshState): { mesh: MeshSnapshots; of: (name: NamespacedName) => Snapshot } {
  const mesh = new MeshSnapshots(state, {
    trustDomain: 'cluster.local',
    maxConnectionAgeMs: 1_440_000,
    denialReasons: 'shown',
  });
  return { mesh, of: (name) => mesh.source(name).current() };
}

const moved = withService(base, (service) => ({
  ...service,
  ports: service.ports.map((port) => ({
    ...port,
    endpoints: port.endpoints.map((endpoint) => ({ ...endpoint, address: '10.0.0.99' })),
  })),
}));

describe('what every proxy shares', () => {
  test('is one object', () => {
    const { of } = snapshots(base);
    expect(of('shop/client').shared).toBe(of('shop/server').shared);
    expect(contents(of('shop/client').shared)).toHaveLength(2);
  });

  test('stays the same object when nothing in it changed', () => {
    const { mesh, of } = snapshots(base);
    const before = of('shop/client');
    mesh.update(withPolicy(base, 'shop/p', { authorization: [] }));
    expect(of('shop/client').shared).toBe(before.shared);
  });

  test("changes by the endpoints of one service when an endpoint moves, and nobody's own part changes", () => {
    const { mesh, of } = snapshots(base);
    const before = { client: of('shop/client'), server: of('shop/server') };
    mesh.update(moved);
    expect(changed(before.client.shared, of('shop/client').shared)).toEqual([
      'ClusterLoadAssignment outbound|80|server.shop.svc.cluster.local',
    ]);
    expect(of('shop/client').own).toBe(before.client.own);
    expect(of('shop/server').own).toBe(before.server.own);
  });

  test('is made by looking only at the endpoints of the service that changed', () => {
    const server = base.services.get('shop/server') as Service;
    let looked = 0;
    const ports = server.ports.map((port) => ({
      ...port,
      get endpoints() {
        looked += 1;
        return port.endpoints;
      },
    }));
    const services = new Map(base.services).set('shop/other', { ...server, name: 'other', ports });
    const state = { ...base, services };
    const { mesh, of } = snapshots(state);
    const before = { looked, shared: of('shop/client').shared };
    expect(before.looked).toBeGreaterThan(0);
    // What stands still is kept over any number of changes.
    for (let change = 0; change < 3; change++) mesh.update(withService(state, (service) => ({ ...service })));
    expect(looked).toBe(before.looked);
    expect(of('shop/client').shared).toBe(before.shared);
  });

  test('comes back to the same encoded resources when a change is undone', () => {
    const { mesh, of } = snapshots(base);
    const before = contents(of('shop/client').shared);
    mesh.update(moved);
    mesh.update(base);
    expect(contents(of('shop/client').shared)).toEqual(before);
  });
});

describe("what is a proxy's own", () => {
  test('changes by its routes when a policy for it changes, and not its listeners', () => {
    const { mesh, of } = snapshots(base);
    const before = { client: of('shop/client').own, server: of('shop/server').own };
    mesh.update(
      withPolicy(base, 'shop/p', { selector: { matchLabels: { app: 'server' } }, authorization: [] }),
    );
    expect(changed(before.server, of('shop/server').own)).toEqual([
      'RouteConfiguration inbound|8080',
      // For the agent.
      'WorkloadAuthorization authorization',
    ]);
    expect(of('shop/client').own).toBe(before.client);
  });

  test('loses the routes of a service that is gone', () => {
    const { mesh, of } = snapshots(base);
    const before = of('shop/client');
    mesh.update({ ...base, services: new Map() });
    expect(contents(of('shop/client').shared)).toEqual([]);
    expect(changed(before.own, of('shop/client').own)).toEqual(['RouteConfiguration outbound|shop']);
  });

  test('is nothing for a workload that is gone, unknown, or taken out of the mesh', () => {
    const { mesh, of } = snapshots(base);
    expect(contents(of('shop/client').own)).not.toEqual([]);
    expect(contents(of('shop/nobody').own)).toEqual([]);
    mesh.update(
      withPolicy(base, 'shop/legacy', {
        selector: { matchLabels: { app: 'client' } },
        postQuantumEncryption: 'disabled',
      }),
    );
    expect(contents(of('shop/client').own)).toEqual([]);
    expect(contents(of('shop/client').shared)).toEqual([]);
    mesh.update({ ...base, workloads: new Map() });
    expect(contents(of('shop/server').own)).toEqual([]);
  });

  test('a workload taken out of the mesh is called as one outside, by all', () => {
    const { mesh, of } = snapshots(base);
    mesh.update(
      withPolicy(base, 'shop/legacy', {
        selector: { matchLabels: { app: 'server' } },
        postQuantumEncryption: 'disabled',
      }),
    );
    const names = [...(of('shop/client').shared.byType.get(typeUrls.cluster)?.keys() ?? [])];
    expect(names).toEqual(['plaintext|80|server.shop.svc.cluster.local']);
  });

  test('a pod that changes its service account changes who may answer for the service', () => {
    const { mesh, of } = snapshots(base);
    const before = of('shop/client').shared;
    const server = base.workloads.get('shop/server') as Workload;
    const workloads = new Map(base.workloads).set('shop/server', { ...server, serviceAccount: 'other' });
    mesh.update({ ...base, workloads });
    expect(changed(before, of('shop/client').shared)).toEqual([
      'Cluster outbound|80|server.shop.svc.cluster.local',
    ]);
  });
});

test('subscribers hear of every update until they unsubscribe', () => {
  const { mesh } = snapshots(base);
  let heard = 0;
  const unsubscribe = mesh.source('shop/client').onChange(() => {
    heard++;
  });
  mesh.update(moved);
  mesh.update(base);
  unsubscribe();
  mesh.update(moved);
  expect(heard).toBe(2);
});
