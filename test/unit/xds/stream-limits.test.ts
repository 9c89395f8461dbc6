import { describe, expect, test } from 'vitest';
import { status } from '../../../src/grpc/status.ts';
import { DeltaStream, maxNameBytes } from '../../../src/xds/delta-stream.ts';
import { emptyLayer } from '../../../src/xds/layer.ts';
import { typeUrls } from '../../../src/xds/resources.ts';

const nothing = { shared: emptyLayer, own: emptyLayer };
const exhausted = expect.objectContaining({ code: status.resourceExhausted });

const request = (typeUrl: string, change: { subscribe?: string[]; unsubscribe?: string[] } = {}) => ({
  typeUrl,
  subscribe: [],
  unsubscribe: [],
  initialVersions: new Map<string, string>(),
  nonce: '',
  error: undefined,
  ...change,
});

const kilobyte = 1024;
const long = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => String(from + i).padEnd(kilobyte, 'x'));

describe('the names of one stream', () => {
  const half = maxNameBytes / kilobyte / 2;

  test('are limited in bytes, over all types', () => {
    const stream = new DeltaStream(nothing);
    stream.receive(request(typeUrls.endpoint, { subscribe: long(0, half) }));
    stream.receive(request(typeUrls.route, { subscribe: long(0, half) }));
    expect(() => stream.receive(request(typeUrls.cluster, { subscribe: ['one'] }))).toThrow(exhausted);
  });

  test('cost nothing twice, and nothing after they were left', () => {
    const stream = new DeltaStream(nothing);
    for (let i = 0; i < 20; i++) {
      stream.receive(request(typeUrls.endpoint, { subscribe: long(0, half) }));
      stream.receive(request(typeUrls.endpoint, { unsubscribe: long(0, half) }));
    }
    stream.receive(request(typeUrls.endpoint, { subscribe: long(0, half) }));
    stream.receive(request(typeUrls.endpoint, { subscribe: [...long(0, half), ...long(0, half)] }));
  });

  test('count also where they are only left', () => {
    const stream = new DeltaStream(nothing);
    stream.receive(request(typeUrls.cluster));
    const leave = () => stream.receive(request(typeUrls.cluster, { unsubscribe: long(0, 2 * half + 1) }));
    expect(leave).toThrow(exhausted);
  });

  test('count with the versions that the client says it has', () => {
    const stream = new DeltaStream(nothing);
    const initialVersions = new Map(long(0, half + 1).map((name) => [name, 'v'.repeat(kilobyte)]));
    expect(() => stream.receive({ ...request(typeUrls.cluster), initialVersions })).toThrow(exhausted);
  });
});

test('a type that is not served here is refused, though another server has it', () => {
  const stream = new DeltaStream(nothing, {}, new Set([typeUrls.secret]));
  stream.receive(request(typeUrls.secret));
  expect(() => stream.receive(request(typeUrls.cluster))).toThrow(
    expect.objectContaining({ code: status.invalidArgument }),
  );
});
