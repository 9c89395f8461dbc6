import { describe, expect, test } from 'vitest';
import { buildMeshState } from '../../../src/model/build.ts';
import { build, codes, meshOptions, pod, service, slice, stateOf } from './support.ts';

const errorCodes = (...texts: string[]) =>
  codes(build(...texts).problems.filter(({ severity }) => severity === 'error'));

describe('pods', () => {
  const workload = (text: string) => [...stateOf(text).workloads.values()][0];

  test('become workloads with what the mesh needs', () => {
    const text = `
apiVersion: v1
kind: Pod
metadata: {name: gateway, namespace: trading, uid: 7f0c, labels: {b: "2", a: "1"}, annotations: {x: y}}
spec:
  serviceAccountName: desk
  unknownToUs: true
  containers:
  - {name: app, ports: [{name: http, containerPort: 8000}, {containerPort: 53, protocol: UDP}]}
  initContainers:
  - {name: proxy, restartPolicy: Always, ports: [{containerPort: 9021}, {containerPort: 15008}]}
  - {name: setup, ports: [{containerPort: 1}]}
  volumes:
  - {name: config, configMap: {name: x}}
  - {name: id, csi: {driver: csi.trellis.quantum.io, readOnly: true}}
status: {phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}, {ip: "fd00::1"}]}
`;
    expect(workload(text)).toEqual({
      namespace: 'trading',
      name: 'gateway',
      uid: '7f0c',
      labels: { a: '1', b: '2' },
      serviceAccount: 'desk',
      addresses: ['10.0.0.1', 'fd00::1'],
      ports: [
        { name: 'http', port: 8000, protocol: 'tcp' },
        { name: undefined, port: 9021, protocol: 'tcp' },
      ],
      meshed: true,
    });
  });

  test('have Kubernetes’ defaults', () => {
    const text = '{apiVersion: v1, kind: Pod, metadata: {name: a.b}, spec: {containers: null}}';
    expect(workload(text)).toEqual({
      namespace: 'default',
      name: 'a.b',
      uid: 'default.a.b',
      labels: {},
      serviceAccount: 'default',
      addresses: [],
      ports: [],
      meshed: false,
    });
  });

  test.each(['Succeeded', 'Failed'])('that have %s are no workloads', (phase) => {
    expect(stateOf(pod('a', { status: `{phase: ${phase}}` })).workloads.size).toBe(0);
  });

  test.each(['Pending', 'Running', 'Unknown'])('that are %s are workloads', (phase) => {
    expect(stateOf(pod('a', { status: `{phase: ${phase}}` })).workloads.size).toBe(1);
  });

  test('with another CSI driver are not meshed', () => {
    const rest = 'volumes: [{csi: {driver: csi.example.com, readOnly: true}}]';
    expect(workload(pod('a', { rest }))?.meshed).toBe(false);
  });

  test('with a writable identity volume are warned about', () => {
    const rest = 'volumes: [{csi: {driver: csi.trellis.quantum.io}}]';
    const { state, problems } = build(pod('a', { rest }));
    expect(codes(problems)).toEqual(['warning WritableVolume']);
    expect(state?.workloads.get('trading/a')?.meshed).toBe(true);
  });

  test.each([
    ['InvalidName', pod('Upper')],
    ['InvalidName', pod('a/b')],
    ['InvalidName', pod('a', { namespace: 'a.b' })],
    ['MissingField', '{apiVersion: v1, kind: Pod, spec: {}}'],
    ['MissingField', '{apiVersion: v1, kind: Pod, metadata: {name: a}}'],
    ['InvalidField', pod('a', { rest: 'serviceAccountName: "../admin"' })],
    ['InvalidField', pod('a', { labels: '{version: 1.0}' })],
    ['InvalidField', pod('a', { ports: '[{containerPort: 0}]' })],
    ['InvalidField', pod('a', { ports: '[{containerPort: 65536}]' })],
    ['InvalidField', pod('a', { ports: '[{containerPort: "80"}]' })],
    ['InvalidField', pod('a', { status: '{podIP: 10.0.0.256}' })],
    ['InvalidField', pod('a', { rest: 'volumes: {csi: 1}' })],
    ['InvalidField', '{apiVersion: v1, kind: Pod, metadata: {name: a, uid: "a/b"}, spec: {}}'],
    ['InvalidField', '{apiVersion: v1, kind: Pod, metadata: [], spec: {}}'],
  ])('are refused with %s: %s', (code, text) => {
    expect(errorCodes(text)).toEqual([`error ${code}`]);
  });

  test('nested without end are refused before anything walks them', () => {
    const brackets = `${'['.repeat(100)}${']'.repeat(100)}`;
    expect(errorCodes(pod('a', { rest: `x: ${brackets}` }))).toEqual(['error InvalidObject']);
    const content: Record<string, unknown> = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } };
    content['spec'] = content;
    expect(codes(buildMeshState([{ content }], meshOptions).problems)).toEqual(['error InvalidObject']);
  });
});

describe('services', () => {
  const only = (text: string) => [...stateOf(text).services.values()][0];

  test('keep their TCP ports in order and their addresses', () => {
    const ports =
      '[{name: b, port: 90}, {name: a, port: 80, protocol: TCP}, {name: u, port: 53, protocol: UDP}]';
    const found = only(service('web', ports, 'clusterIP: 10.1.0.1, clusterIPs: [10.1.0.1, "fd00::2"]'));
    expect(found?.clusterIps).toEqual(['10.1.0.1', 'fd00::2']);
    expect(found?.ports.map(({ name, port }) => [name, port])).toEqual([
      ['a', 80],
      ['b', 90],
    ]);
  });

  test.each(['clusterIP: None', 'clusterIP: ""', 'type: ExternalName, externalName: example.com'])(
    'have no address with %s',
    (rest) => {
      expect(only(service('web', '[{port: 80}]', rest))?.clusterIps).toEqual([]);
    },
  );

  test.each([
    ['InvalidField', service('web', '[{port: 0}]')],
    ['InvalidField', service('web', '[{port: 70000}]')],
    ['InvalidField', service('web', '[{port: 80, targetPort: 70000}]')],
    ['InvalidField', service('web', '[{port: 80}]', 'clusterIP: here')],
    ['InvalidField', service('web', '[{name: a, port: 80}, {name: b, port: 80}]')],
    ['InvalidField', service('web', '[{name: a, port: 80}, {name: a, port: 81}]')],
    ['InvalidField', service('web', '[{port: 80}, {port: 81}]')],
  ])('are refused with %s: %s', (code, text) => {
    expect(errorCodes(text)).toEqual([`error ${code}`]);
  });

  test('may have one port number for TCP and UDP', () => {
    expect(errorCodes(service('dns', '[{name: a, port: 53}, {name: b, port: 53, protocol: UDP}]'))).toEqual(
      [],
    );
  });
});

describe('endpoint slices', () => {
  test.each([
    ['InvalidField', '[{port: 80}]', '[{addresses: [example.com]}]'],
    ['InvalidField', '[{port: 80}]', '[{addresses: ["fd00::1"]}]'],
    ['InvalidField', '[{port: 80}]', '[{addresses: []}]'],
    ['InvalidField', '[{port: 123456}]', '[]'],
  ])('are refused with %s: %s %s', (code, ports, endpoints) => {
    expect(errorCodes(slice('s', 'web', ports, endpoints))).toContain(`error ${code}`);
  });

  test('need an address type', () => {
    const text = '{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: a}, endpoints: []}';
    expect(errorCodes(text)).toEqual(['error MissingField']);
  });
});
