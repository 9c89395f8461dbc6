// The service on a real gRPC stream, with the reference client behind grpc-js.

import { once } from 'node:events';
import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { status } from '../../../src/grpc/status.ts';
import {
  type EncodedResource,
  type Snapshot,
  type SnapshotSource,
  typeUrls,
} from '../../../src/xds/resources.ts';
import { type DeltaHooks, serveDelta } from '../../../src/xds/server.ts';
import { DeltaClient, type DeltaClientOptions } from '../../support/delta-client.ts';
import { bytes, grpcJsClient, startServer } from '../grpc/support.ts';
import { cluster, endpoints, listener, route, snapshot } from './support.ts';

const path = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';

class Source implements SnapshotSource {
  readonly listeners = new Set<() => void>();
  #current: Snapshot;

  constructor(current: Snapshot) {
    this.#current = current;
  }

  current(): Snapshot {
    return this.#current;
  }

  onChange(changed: () => void): () => void {
    this.listeners.add(changed);
    return () => this.listeners.delete(changed);
  }

  update(next: Snapshot): void {
    this.#current = next;
    for (const changed of this.listeners) changed();
  }
}

interface Proxy {
  readonly client: DeltaClient;
  readonly call: ClientDuplexStream<Buffer, Buffer>;
}

async function serve(source: Source, hooks: DeltaHooks = {}, patienceMs = 60_000): Promise<number> {
  const { port } = await startServer({
    [path]: {
      kind: 'stream',
      endless: true,
      handle: (call) => serveDelta(call, source, hooks, { patienceMs }),
    },
  });
  return port;
}

function connect(port: number, options: Omit<DeltaClientOptions, 'send'> = {}): Proxy {
  const call = grpcJsClient(port).makeBidiStreamRequest<Buffer, Buffer>(path, bytes, bytes);
  call.on('error', () => {});
  const client = new DeltaClient({ ...options, send: (request) => call.write(Buffer.from(request)) });
  call.on('data', (message: Buffer) => client.receive(message));
  return { client, call };
}

const holds = (proxy: Proxy, resource: EncodedResource) =>
  expect.poll(() => proxy.client.held(resource.typeUrl).get(resource.name)?.version).toBe(resource.version);

describe('serveDelta', () => {
  test('brings proxies to the current state and keeps them there', async () => {
    const source = new Source(snapshot([cluster('a'), endpoints('a', '1')], [listener('own')]));
    const port = await serve(source);
    const proxies = Array.from({ length: 20 }, () => connect(port));
    for (const { client } of proxies) {
      client.subscribeLegacyWildcard(typeUrls.cluster);
      client.subscribeLegacyWildcard(typeUrls.listener);
      client.subscribe(typeUrls.endpoint, ['a']);
    }
    for (const proxy of proxies) await holds(proxy, listener('own'));
    for (const content of ['2', '3', '4'])
      source.update(snapshot([cluster('a'), endpoints('a', content)], [listener('own')]));
    for (const proxy of proxies) await holds(proxy, endpoints('a', '4'));
  });

  test('acknowledgements and rejections reach the hooks', async () => {
    const seen: string[] = [];
    const source = new Source(snapshot([route('r', 'bad')]));
    const port = await serve(source, {
      onOpen: () => seen.push('open'),
      onAck: ({ nonce }) => seen.push(`ack ${nonce}`),
      onNack: ({ names, message }) => seen.push(`nack ${names}: ${message}`),
    });
    const proxy = connect(port, {
      refuse: (_, name, value) => (Buffer.from(value).includes('bad') ? `${name} is bad` : undefined),
    });
    proxy.client.subscribe(typeUrls.route, ['r']);
    await expect.poll(() => seen).toEqual(['open', 'nack r: r is bad']);
    source.update(snapshot([route('r', 'good')]));
    await expect.poll(() => seen.at(-1)).toBe('ack 2');
  });

  test('a proxy that withholds an answer does not hold back the rest for ever', async () => {
    const source = new Source(snapshot([cluster('a'), route('r')]));
    const port = await serve(source, {}, 50);
    const proxy = connect(port, { mayAck: (typeUrl) => typeUrl !== typeUrls.cluster });
    proxy.client.subscribeLegacyWildcard(typeUrls.cluster);
    proxy.client.subscribe(typeUrls.route, ['r']);
    await holds(proxy, route('r'));
  });

  test('a proxy that ends its stream is told OK, and is forgotten', async () => {
    const source = new Source(snapshot([cluster('a')]));
    const proxy = connect(await serve(source));
    proxy.client.subscribeLegacyWildcard(typeUrls.cluster);
    await holds(proxy, cluster('a'));
    expect(source.listeners.size).toBe(1);
    const ended = once(proxy.call, 'status');
    proxy.call.end();
    expect((await ended)[0]).toMatchObject({ code: 0 });
    expect(source.listeners.size).toBe(0);
  });

  test('a proxy that is gone is forgotten', async () => {
    const source = new Source(snapshot([cluster('a')]));
    const proxy = connect(await serve(source));
    proxy.client.subscribeLegacyWildcard(typeUrls.cluster);
    await holds(proxy, cluster('a'));
    proxy.call.cancel();
    await expect.poll(() => source.listeners.size).toBe(0);
  });

  test.each([
    ['no discovery request', Buffer.from([0xff])],
    ['a type that is not served', Buffer.from([0x12, 3, 0x61, 0x62, 0x63])],
  ])('%s ends the stream with INVALID_ARGUMENT', async (_, message) => {
    const source = new Source(snapshot([]));
    const { call } = connect(await serve(source));
    const failed = once(call, 'error') as Promise<[ServiceError]>;
    call.write(message);
    expect((await failed)[0].code).toBe(status.invalidArgument);
    expect(source.listeners.size).toBe(0);
  });
});
