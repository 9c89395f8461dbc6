import { describe, expect, test } from 'vitest';
import { statedProtocol } from '../../../src/model/app-protocol.ts';
import { build, codes, pod, service, slice, stateOf } from './support.ts';

describe('statedProtocol', () => {
  test.each([
    ['x', 'http', 'http'],
    ['x', 'HTTP', 'http'],
    ['x', 'kubernetes.io/h2c', 'http2'],
    ['x', 'grpc', 'http2'],
    ['x', 'kubernetes.io/ws', 'http'],
    ['x', 'tcp', 'tcp'],
    // Stated, but nothing that can be looked into.
    ['http', 'https', 'tcp'],
    ['http', 'kubernetes.io/wss', 'tcp'],
    ['http', 'mongo', 'tcp'],
  ])('%s with appProtocol %s is %s', (name, appProtocol, protocol) => {
    expect(statedProtocol(name, [appProtocol])).toBe(protocol);
  });

  test.each([
    ['http', 'http'],
    ['http-metrics', 'http'],
    ['http2', 'http2'],
    ['http2-x', 'http2'],
    ['grpc', 'http2'],
    ['grpc-x', 'http2'],
    ['grpc-web', 'http'],
    ['h2c', 'http2'],
    ['tcp-ledger', 'tcp'],
    ['https', undefined],
    ['httpx', undefined],
    ['metrics', undefined],
    ['', undefined],
    ['constructor', undefined],
  ])('a port named %s says %s', (name, protocol) => {
    expect(statedProtocol(name, [undefined])).toBe(protocol);
  });
});

/** What both ends say about port 8000 of pod a. */
function agreed(...texts: string[]): {
  services: string[];
  workload: string | undefined;
  problems: string[];
} {
  const { state, problems } = build(pod('a', { labels: '{app: web, tier: x}' }), ...texts);
  const services = [...(state?.services.values() ?? [])];
  return {
    services: services.flatMap(({ name, ports }) =>
      ports.map((each) => `${name}:${each.port} ${each.protocol}`),
    ),
    workload: state?.workloads.get('trading/a')?.ports.find(({ port }) => port === 8000)?.protocol,
    problems: codes(problems),
  };
}

const other = (ports: string) => service('other', ports).replace('app: other', 'tier: x');

describe('a port means the same at both ends', () => {
  test('by selector', () => {
    expect(agreed(service('web', '[{port: 80, targetPort: 8000, appProtocol: http}]'))).toEqual({
      services: ['web:80 http'],
      workload: 'http',
      problems: [],
    });
  });

  test('by named target port', () => {
    const state = stateOf(
      pod('a', { labels: '{app: web}', ports: '[{name: api, containerPort: 8000}]' }),
      service('web', '[{port: 80, targetPort: api, appProtocol: grpc}]'),
    );
    expect(state.workloads.get('trading/a')?.ports).toEqual([{ name: 'api', port: 8000, protocol: 'http2' }]);
  });

  test('by an endpoint, whether ready or not', () => {
    const endpoint = '[{addresses: [10.0.0.1], conditions: {ready: false}, targetRef: {kind: Pod, name: a}}]';
    const free = service('free', '[{name: http, port: 80}]').replace('selector: {app: free}, ', '');
    expect(agreed(free, slice('s', 'free', '[{name: http, port: 8000}]', endpoint))).toEqual({
      services: ['free:80 http'],
      workload: 'http',
      problems: [],
    });
  });

  test('tcp when nobody says', () => {
    expect(agreed(service('web', '[{port: 80, targetPort: 8000}]')).services).toEqual(['web:80 tcp']);
  });

  test('a Service that says nothing follows one that does', () => {
    const web = service('web', '[{port: 80, targetPort: 8000, appProtocol: http}]');
    expect(agreed(web, other('[{port: 81, targetPort: 8000}]'))).toEqual({
      services: ['other:81 http', 'web:80 http'],
      workload: 'http',
      problems: [],
    });
  });

  test('tcp, at both ends and with a warning, when Services contradict each other', () => {
    const web = service('web', '[{port: 80, targetPort: 8000, appProtocol: http}]');
    const found = agreed(web, other('[{port: 81, targetPort: 8000, appProtocol: grpc}]'));
    expect(found).toEqual({
      services: ['other:81 tcp', 'web:80 tcp'],
      workload: 'tcp',
      problems: ['warning ProtocolConflict'],
    });
  });

  test('the warning names every Service and what it says', () => {
    const web = service('web', '[{port: 80, targetPort: 8000, appProtocol: http}]');
    const { problems } = build(
      pod('a', { labels: '{app: web, tier: x}' }),
      web,
      other('[{name: tcp, port: 8000}]'),
    );
    expect(problems[0]?.message).toContain('trading/other:8000 says tcp, trading/web:80 says http');
    expect(problems[0]?.object).toEqual({ kind: 'Service', namespace: 'trading', name: 'other' });
  });

  test('a QuantumService speaks where the Service has no appProtocol, and before the port name', () => {
    const quantum = `{apiVersion: quantum.io/v1, kind: QuantumService, metadata: {name: web, namespace: trading},
      spec: {selector: {matchLabels: {app: web}}, ports: [{name: x, port: 80, targetPort: 8000, appProtocol: grpc}]}}`;
    const ports = (rest: string) => `[{name: http, port: 80, targetPort: 8000${rest}}]`;
    expect(agreed(service('web', ports('')), quantum).workload).toBe('http2');
    expect(agreed(service('web', ports(', appProtocol: tcp')), quantum).workload).toBe('tcp');
  });
});
