import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildMeshState } from '../../../src/model/build.ts';
import type { MeshState } from '../../../src/model/mesh.ts';
import { build, codes, manifests, meshOptions, pod, policy, service, slice, stateOf } from './support.ts';

const endpoint = (address: string, name: string, rest = '') =>
  `{addresses: [${address}], targetRef: {kind: Pod, name: ${name}}${rest}}`;

describe('endpoints', () => {
  const web = service(
    'web',
    '[{name: http, port: 80, targetPort: 8000}, {name: admin, port: 81, targetPort: 9000}]',
  );
  const endpoints = (state: MeshState, port = 80) =>
    state.services.get('trading/web')?.ports.find((each) => each.port === port)?.endpoints;

  test('are joined to Service ports by name and to pods by reference', () => {
    const slices = slice(
      'web-1',
      'web',
      '[{name: admin, port: 9000}, {name: http, port: 8000}]',
      `[${endpoint('10.0.0.2', 'b')}, ${endpoint('10.0.0.1', 'a')}, {addresses: [10.0.0.3, 10.0.0.4]}]`,
    );
    const state = stateOf(pod('a'), pod('b'), web, slices);
    expect(endpoints(state)).toEqual([
      { address: '10.0.0.1', port: 8000, workload: 'trading/a' },
      { address: '10.0.0.2', port: 8000, workload: 'trading/b' },
      { address: '10.0.0.3', port: 8000, workload: undefined },
    ]);
    expect(endpoints(state, 81)?.map(({ port }) => port)).toEqual([9000, 9000, 9000]);
  });

  test('count when ready, or when nobody knows', () => {
    const list = `[${endpoint('10.0.0.1', 'a', ', conditions: {ready: false}')}, ${endpoint('10.0.0.2', 'a', ', conditions: {}')}]`;
    const state = stateOf(pod('a'), web, slice('web-1', 'web', '[{name: http, port: 8000}]', list));
    expect(endpoints(state)?.map(({ address }) => address)).toEqual(['10.0.0.2']);
  });

  test('of several slices are put together, repetitions dropped', () => {
    const ports = '[{name: http, port: 8000}]';
    const state = stateOf(
      pod('a'),
      web,
      slice('web-1', 'web', ports, `[${endpoint('10.0.0.1', 'a')}]`),
      slice('web-2', 'web', ports, '[{addresses: [10.0.0.1]}, {addresses: [10.0.0.2]}]'),
    );
    expect(endpoints(state)).toEqual([
      { address: '10.0.0.1', port: 8000, workload: 'trading/a' },
      { address: '10.0.0.2', port: 8000, workload: undefined },
    ]);
  });

  test.each([
    ['a pod that does not exist', endpoint('10.0.0.1', 'ghost')],
    ['a pod that has ended', endpoint('10.0.0.1', 'done')],
    // Otherwise whoever may write EndpointSlices in one namespace could lead traffic for it to any identity of the mesh.
    [
      'a pod of another namespace',
      '{addresses: [10.0.0.1], targetRef: {kind: Pod, name: a, namespace: other}}',
    ],
  ])('that name %s have no identity, with a warning', (_, text) => {
    const { state, problems } = build(
      pod('a', { namespace: 'other' }),
      pod('done', { status: '{phase: Failed}' }),
      web,
      slice('web-1', 'web', '[{name: http, port: 8000}]', `[${text}]`),
    );
    expect(codes(problems)).toEqual(['warning UnknownPod']);
    expect(state === undefined ? undefined : endpoints(state)).toEqual([
      { address: '10.0.0.1', port: 8000, workload: undefined },
    ]);
  });

  test('with a port name that the Service does not have are reported', () => {
    const { problems } = build(web, slice('web-1', 'web', '[{name: htttp, port: 8000}]', '[]'));
    expect(problems.map(({ message }) => message)).toEqual([
      'Service trading/web has no TCP port named "htttp" (it has: "http", "admin"); ports are joined by name',
    ]);
  });

  test('of type FQDN are not used, with a warning', () => {
    const text = slice('web-1', 'web', '[{name: http, port: 8000}]', '[{addresses: [example.com]}]');
    const { state, problems } = build(web, text.replace('IPv4', 'FQDN'));
    expect(codes(problems)).toEqual(['warning InvalidField']);
    expect(state === undefined ? undefined : endpoints(state)).toEqual([]);
  });

  test('of no Service, or one that does not exist, are reported', () => {
    const lost = slice('a', 'ghost', '[]', '[]');
    const unlabelled = slice('b', 'web', '[]', '[]').replace(
      ', labels: {kubernetes.io/service-name: web}',
      '',
    );
    expect(codes(build(web, lost, unlabelled).problems)).toEqual([
      'warning UnknownService',
      'warning UnknownService',
    ]);
  });
});

describe('references', () => {
  test('a ServiceAccount that is not there is a warning; default always is', () => {
    const named = pod('a', { rest: 'serviceAccountName: desk' });
    expect(codes(build(named, pod('b')).problems)).toEqual(['warning UnknownServiceAccount']);
    const account = '{apiVersion: v1, kind: ServiceAccount, metadata: {name: desk, namespace: trading}}';
    expect(build(named, account).problems).toEqual([]);
    expect(codes(build(named, account.replace('trading', 'other')).problems)).toEqual([
      'warning UnknownServiceAccount',
    ]);
  });

  test.each([
    ['{selector: {matchLabels: {app: ghost}}}', 'trading', ['warning SelectsNothing']],
    ['{selector: {matchLabels: {app: a}}}', 'trading', []],
    ['{selector: {matchLabels: {app: a}}}', 'other', ['warning SelectsNothing']],
    ['{selector: {matchLabels: {app: a}}}', 'trellis-system', []],
    ['{selector: {matchLabels: {app: ghost}}}', 'trellis-system', ['warning SelectsNothing']],
    ['{authorization: []}', 'tradng', ['warning SelectsNothing']],
    ['{authorization: []}', 'trellis-system', []],
    ['{images: [{match: ["**"], action: deny}]}', 'tradng', []],
    [
      '{selector: {matchExpressions: [{key: constructor, operator: Exists}]}}',
      'trading',
      ['warning SelectsNothing'],
    ],
  ])('policy %s in %s: %j', (spec, namespace, expected) => {
    expect(codes(build(pod('a'), policy(spec, namespace)).problems)).toEqual(expected);
  });

  test('a QuantumService is compared with its pods and its Service', () => {
    const quantum = (ports: string, app = 'web') =>
      `{apiVersion: quantum.io/v1, kind: QuantumService, metadata: {name: web, namespace: trading},
        spec: {selector: {matchLabels: {app: ${app}}}, ports: ${ports}}}`;
    const web = service('web', '[{port: 80, targetPort: 8000}]');
    const found = (...texts: string[]) => codes(build(pod('web'), ...texts).problems);
    expect(found(web, quantum('[{name: a, port: 80, targetPort: 8000}]'))).toEqual([]);
    expect(found(web, quantum('[{name: a, port: 80}]'))).toEqual(['warning UnknownPort']);
    expect(found(web, quantum('[{name: a, port: 81}]'))).toEqual(['warning UnknownPort']);
    expect(found(quantum('[{name: a, port: 80}]'))).toEqual(['warning UnknownService']);
    expect(found(web, quantum('[{name: a, port: 80, targetPort: 8000}]', 'ghost'))).toEqual([
      'warning SelectsNothing',
    ]);
    expect(found(web, quantum('[{name: a, port: 80}, {name: a, port: 81}]'))).toEqual(['error InvalidField']);
  });

  test('traffic that comes later is refused, not ignored', () => {
    const canary = `{apiVersion: quantum.io/v1, kind: QuantumService, metadata: {name: web},
      spec: {selector: {matchLabels: {app: web}}, traffic: {canary: {weight: 5}}}}`;
    expect(codes(build(canary).problems)).toContain('error UnknownField');
  });
});

describe('what must be unique', () => {
  test('names, per kind and namespace', () => {
    expect(codes(build(pod('a'), pod('a')).problems)).toContain('error DuplicateName');
    expect(build(pod('a'), pod('a', { namespace: 'other' }), service('a', '[{port: 80}]')).problems).toEqual(
      [],
    );
  });

  test('pod uids', () => {
    const uid = (name: string) => pod(name).replace('metadata: {', 'metadata: {uid: x-1, ');
    expect(codes(build(uid('a'), uid('b')).problems)).toEqual(['error DuplicateUid']);
  });

  test('cluster IPs', () => {
    const texts = ['a', 'b'].map((name) => service(name, '[{port: 80}]', 'clusterIP: 10.1.0.1'));
    expect(codes(build(...texts).problems)).toEqual(['error DuplicateAddress']);
  });

  test('pod addresses, except on the host network and of pods that have ended', () => {
    const at = (name: string, rest = '', phase = 'Running') =>
      pod(name, { rest, status: `{phase: ${phase}, podIP: 10.0.0.1}` });
    expect(codes(build(at('a'), at('b')).problems)).toEqual(['warning DuplicateAddress']);
    expect(build(at('a', 'hostNetwork: true'), at('b', 'hostNetwork: true')).problems).toEqual([]);
    expect(build(at('a'), at('b', '', 'Succeeded')).problems).toEqual([]);
  });
});

describe('buildMeshState', () => {
  const mesh = [
    pod('a', { ports: '[{containerPort: 8000}]' }),
    pod('b'),
    service('a', '[{name: http, port: 80, targetPort: 8000}]'),
    slice('a-1', 'a', '[{name: http, port: 8000}]', `[${endpoint('10.0.0.1', 'a')}]`),
    policy('{authorization: []}'),
    policy('{postQuantumEncryption: required}', 'trellis-system', 'mesh'),
    '{apiVersion: quantum.io/v1, kind: QuantumService, metadata: {name: a, namespace: trading}, spec: {selector: {matchLabels: {app: a}}}}',
  ];

  test('yields no state when anything is an error: a mesh without a policy would be a more open one', () => {
    const { state, problems } = build(...mesh, policy('{postQuantumEncryption: requird}', 'trading', 'typo'));
    expect(state).toBeUndefined();
    expect(codes(problems)).toEqual(['error InvalidField']);
  });

  test('an empty mesh is a state', () => {
    expect(stateOf().workloads.size).toBe(0);
  });

  test('names ignored kinds once', () => {
    const map = '{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}';
    expect(build(map, map, '{apiVersion: apps/v1, kind: Deployment}').ignored).toEqual([
      { apiVersion: 'v1', kind: 'ConfigMap' },
      { apiVersion: 'apps/v1', kind: 'Deployment' },
    ]);
  });

  test('does not depend on the order of manifests', () => {
    const expected = stateOf(...mesh);
    fc.assert(
      fc.property(fc.shuffledSubarray(mesh, { minLength: mesh.length }), (shuffled) => {
        const state = stateOf(...shuffled);
        // As text, so that the order inside maps counts too.
        expect(textOf(state)).toBe(textOf(expected));
      }),
      { numRuns: 20 },
    );
  });

  test('problems come in the order of their places', () => {
    const at = (file: string, line: number) => ({ locate: () => ({ file, line, column: 1 }) });
    const [content] = manifests(pod('a', { rest: 'serviceAccountName: x' }));
    const [other] = manifests(pod('b', { rest: 'serviceAccountName: x' }));
    const list = [
      { content: other?.content, ...at('b.yaml', 1) },
      { content: content?.content, ...at('a.yaml', 9) },
    ];
    const { problems } = buildMeshState(list, meshOptions);
    expect(problems.map(({ origin }) => origin?.file)).toEqual(['a.yaml', 'b.yaml']);
  });

  test('what did not change keeps its identity, even when all was read again', () => {
    const first = buildMeshState(manifests(...mesh), meshOptions).state;
    expect(buildMeshState(manifests(...mesh), meshOptions, first).state).toBe(first);

    const moved = mesh.map((text) => text.replaceAll('10.0.0.1', '10.0.0.9'));
    const second = buildMeshState(manifests(...moved), meshOptions, first).state;
    expect(second).not.toBe(first);
    expect(second?.workloads).toBe(first?.workloads);
    expect(second?.policies).toBe(first?.policies);
    expect(second?.services.get('trading/a')).not.toBe(first?.services.get('trading/a'));

    const relabelled = mesh.map((text) => text.replace('labels: {app: b}', 'labels: {app: c}'));
    const third = buildMeshState(manifests(...relabelled), meshOptions, first).state;
    expect(third?.workloads.get('trading/a')).toBe(first?.workloads.get('trading/a'));
    expect(third?.workloads.get('trading/b')).not.toBe(first?.workloads.get('trading/b'));
    expect(third?.services).toBe(first?.services);
  });

  test('a removed object is gone', () => {
    const first = buildMeshState(manifests(...mesh), meshOptions).state;
    const second = buildMeshState(manifests(...mesh.slice(0, 1)), meshOptions, first).state;
    expect([...(second?.workloads.keys() ?? [])]).toEqual(['trading/a']);
    expect(second?.policies.size).toBe(0);
  });

  test('another trust domain is another state', () => {
    const first = buildMeshState(manifests(...mesh), meshOptions).state;
    const second = buildMeshState(
      manifests(...mesh),
      { ...meshOptions, trustDomain: 'other.example' },
      first,
    ).state;
    expect(second?.trustDomain).toBe('other.example');
  });

  test('leaves the manifests as they were', () => {
    const list = manifests(...mesh);
    const before = structuredClone(list);
    buildMeshState(list, meshOptions);
    expect(list).toEqual(before);
  });
});

function textOf(state: MeshState): string {
  return JSON.stringify(state, (_, value) => (value instanceof Map ? [...value] : value));
}
