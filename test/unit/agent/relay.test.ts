// A proxy (grpc-js, or plain HTTP/2), the relay, and a control plane that a test plays.

import { once } from 'node:events';
import {
  type ClientHttp2Session,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Metadata, type ServiceError } from '@grpc/grpc-js';
import { describe, expect, onTestFinished, test } from 'vitest';
import { relayMethod } from '../../../src/agent/relay.ts';
import type { StreamHandler } from '../../../src/grpc/call.ts';
import { frame } from '../../../src/grpc/framing.ts';
import { GrpcError, status } from '../../../src/grpc/status.ts';
import { encodeFrame, FrameClient, flag, frameType, grpcRequestHeaders } from '../../support/h2-frames.ts';
import {
  bytes,
  collect,
  deferred,
  grpcJsClient,
  http2Session,
  requestHeaders,
  startServer,
  stream,
} from '../grpc/support.ts';

const [path] = relayMethod({ upstream: () => undefined, headers: () => ({}) });

/** A relay to this session; its port. */
async function startRelay(
  upstream: () => ClientHttp2Session | undefined,
  options: { readonly lingerMs?: number } = {},
): Promise<number> {
  const headers = () => ({ 'x-trellis-workload': 'trading/gateway-0' });
  const [, method] = relayMethod({ upstream, headers, ...options });
  return (await startServer({ [path]: method })).port;
}

/** A control plane that serves gRPC, and a relay to it. */
async function relayTo(handle: StreamHandler): Promise<{ port: number; session: ClientHttp2Session }> {
  const controlPlane = await startServer({ [path]: stream(handle) });
  const session = await http2Session(controlPlane.port);
  return { port: await startRelay(() => session), session };
}

/** A control plane that does to its streams what it likes, and a relay to it. */
async function relayToPlain(answer: (stream: ServerHttp2Stream) => void): Promise<number> {
  const server = createServer();
  server.on('stream', (upstream: ServerHttp2Stream) => {
    upstream.on('error', () => {});
    answer(upstream);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const session = await http2Session((server.address() as AddressInfo).port);
  return startRelay(() => session);
}

const echo: StreamHandler = async (call) => {
  for await (const message of call.messages) await call.write(message);
};

const openProxy = (port: number, metadata = new Metadata()) =>
  grpcJsClient(port).makeBidiStreamRequest(path, bytes, bytes, metadata);

describe('messages', () => {
  test('go both ways unchanged, in order, small and large', async () => {
    const { port } = await relayTo(echo);
    const proxy = openProxy(port);
    const sent = [0, 1, 70_000, 3_000_000, 5].map((size, i) => Buffer.alloc(size, i));
    for (const message of sent) proxy.write(message);
    proxy.end();
    expect(Buffer.concat((await collect(proxy)) as Buffer[]).equals(Buffer.concat(sent))).toBe(true);
  });

  test('a proxy that half-closes gets the rest and the status', async () => {
    const { port } = await relayTo(async (call) => {
      const all = await collect(call.messages);
      await call.write(Buffer.from(String(all.length)));
      throw new GrpcError(status.resourceExhausted, 'zu viel: 100 %');
    });
    const proxy = openProxy(port);
    const failed = once(proxy, 'error') as Promise<[ServiceError]>;
    const received: string[] = [];
    proxy.on('data', (message: Buffer) => received.push(String(message)));
    proxy.write(Buffer.from('a'));
    proxy.end();
    expect((await failed)[0]).toMatchObject({ code: 8, details: 'zu viel: 100 %' });
    expect(received).toEqual(['1']);
  });

  test('a proxy that does not read holds back its own stream, and no other on the same connection', async () => {
    const written: number[] = [];
    const { port } = await relayTo(async (call) => {
      for await (const message of call.messages) {
        if (String(message) === 'echo') {
          await call.write(message);
          continue;
        }
        for (let i = 1; i <= 200; i++) {
          await call.write(Buffer.alloc(64 * 1024));
          written.push(i);
        }
      }
    });
    const slow = (await http2Session(port)).request(requestHeaders(path), { endStream: false });
    slow.on('error', () => {});
    slow.pause();
    slow.write(frame(Buffer.from('pour')));
    await once(slow, 'response');
    const proxy = openProxy(port);
    proxy.on('error', () => {});
    for (let i = 0; i < 100; i++) {
      proxy.write(Buffer.from('echo'));
      expect(String((await once(proxy, 'data'))[0])).toBe('echo');
    }
    // The windows of both connections and the buffers between, but not the 13 MB that want to go.
    expect(written.length).toBeLessThan(100);
    slow.resume();
    await expect.poll(() => written.length, { timeout: 4000 }).toBe(200);
  });
});

describe('what goes up', () => {
  test('of the metadata only what the agent says', async () => {
    const seen = deferred<IncomingHttpHeaders>();
    const { port } = await relayTo(async (call) => seen.resolve(call.headers));
    const metadata = new Metadata();
    metadata.set('x-trellis-workload', 'kube-system/another');
    metadata.set('authorization', 'Bearer stolen');
    metadata.set('x-anything', 'else');
    openProxy(port, metadata)
      .on('error', () => {})
      .resume();
    const headers = await seen.promise;
    expect(headers['x-trellis-workload']).toBe('trading/gateway-0');
    expect(Object.keys(headers).sort()).toEqual([
      ':authority',
      ':method',
      ':path',
      ':scheme',
      'content-type',
      'te',
      'x-trellis-workload',
    ]);
  });
});

describe('the end', () => {
  const unavailable = (details: string) => expect.objectContaining({ code: 14, details });

  async function failure(port: number): Promise<ServiceError> {
    const proxy = openProxy(port);
    const failed = once(proxy, 'error') as Promise<[ServiceError]>;
    proxy.resume();
    proxy.write(Buffer.from('hello'));
    return (await failed)[0];
  }

  test('no connection to the control plane', async () => {
    const port = await startRelay(() => undefined);
    expect(await failure(port)).toEqual(unavailable('the control plane is out of reach'));
  });

  test('a proxy that was told the status and does not close its side is reset', async () => {
    const port = await startRelay(() => undefined, { lingerMs: 20 });
    const client = await FrameClient.start(port);
    onTestFinished(() => client.end());
    client.write(encodeFrame(frameType.headers, flag.endHeaders, 1, grpcRequestHeaders(path)));
    await expect.poll(() => client.frames.some(({ type }) => type === frameType.rstStream)).toBe(true);
  });

  test('a connection that is closed, or closing', async () => {
    const { session, port } = await relayTo(echo);
    session.close();
    expect(await failure(port)).toEqual(unavailable('the control plane is out of reach'));
    session.destroy();
    expect(await failure(port)).toEqual(unavailable('the control plane is out of reach'));
  });

  test('the connection dies before the answer, and after it', async () => {
    const lost = unavailable('the connection to the control plane was lost');
    expect(await failure(await relayToPlain((upstream) => upstream.session?.socket.destroy()))).toEqual(lost);
    const later = await relayToPlain((upstream) => {
      upstream.respond({ ':status': 200, 'content-type': 'application/grpc' });
      upstream.once('data', () => upstream.session?.socket.destroy());
    });
    expect(await failure(later)).toEqual(lost);
  });

  test('a status without a message of its own', async () => {
    const port = await relayToPlain((upstream) =>
      upstream.respond(
        { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '7', 'grpc-message': 'no' },
        { endStream: true },
      ),
    );
    expect(await failure(port)).toMatchObject({ code: 7, details: 'no' });
  });

  test('the control plane ends the stream first: both sides are closed, not left to time out', async () => {
    const closed = deferred();
    const port = await relayToPlain((upstream) => {
      upstream.once('close', () => closed.resolve());
      upstream.resume();
      upstream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      upstream.once('wantTrailers', () =>
        upstream.sendTrailers({ 'grpc-status': '14', 'grpc-message': 'restart' }),
      );
      upstream.end(frame(Buffer.from('last words')));
    });
    const proxy = (await http2Session(port)).request(requestHeaders(path), { endStream: false });
    const trailers = once(proxy, 'trailers');
    expect(Buffer.concat(await collect(proxy))).toEqual(frame(Buffer.from('last words')));
    expect((await trailers)[0]).toMatchObject({ 'grpc-status': '14', 'grpc-message': 'restart' });
    await closed.promise;
    // What the proxy had still to say, more than a window of it, is taken and thrown away.
    proxy.end(Buffer.alloc(1_000_000));
    await once(proxy, 'close');
    expect(proxy.rstCode).toBe(0);
  });

  test('what answers there is no gRPC server', async () => {
    const port = await relayToPlain((upstream) => {
      upstream.respond({ ':status': 502, 'content-type': 'text/html' });
      upstream.end('<html>');
    });
    expect(await failure(port)).toEqual(unavailable('the control plane answered with HTTP 502'));
  });

  test('a proxy that cancels or disappears ends the stream upstream', async () => {
    const signals: AbortSignal[] = [];
    const { port } = await relayTo(async (call) => {
      signals.push(call.signal);
      for await (const message of call.messages) await call.write(message);
      // A cancelled client half-closes first; the reset follows.
      if (!call.signal.aborted) await once(call.signal, 'abort');
    });
    const proxy = openProxy(port);
    proxy.on('error', () => {});
    proxy.write(Buffer.from('a'));
    await once(proxy, 'data');
    proxy.cancel();
    const session = await http2Session(port);
    const other = session.request(requestHeaders(path), { endStream: false });
    other.on('error', () => {});
    other.write(frame(Buffer.from('b')));
    await once(other, 'data');
    session.destroy();
    await expect.poll(() => signals.map(({ aborted }) => aborted)).toEqual([true, true]);
  });
});

test('a thousand streams leave nothing behind', async () => {
  let upstreamOpen = 0;
  let proxyOpen = 0;
  let opened = 0;
  const { session, port } = await relayTo(async (call) => {
    opened += 1;
    upstreamOpen += 1;
    try {
      for await (const message of call.messages) {
        if (String(message) === 'fail') throw new GrpcError(status.aborted, 'as you wish');
        await call.write(message);
      }
    } finally {
      upstreamOpen -= 1;
    }
  });
  const listeners = () => session.eventNames().map((name) => [String(name), session.listenerCount(name)]);
  const before = listeners();
  const proxySession = await http2Session(port);
  const cycle = async (i: number): Promise<void> => {
    const proxy = proxySession.request(requestHeaders(path), { endStream: false });
    proxyOpen += 1;
    proxy.on('error', () => {});
    const closed = once(proxy, 'close');
    proxy.write(frame(Buffer.from(i % 3 === 0 ? 'fail' : 'echo')));
    proxy.resume();
    // A third ends by the control plane's status, a third by half-close, a third by cancelling.
    if (i % 3 === 0) proxy.once('end', () => proxy.end());
    if (i % 3 === 1) proxy.end();
    if (i % 3 === 2) once(proxy, 'data').then(() => proxy.close(8));
    await closed;
    proxyOpen -= 1;
  };
  for (let i = 0; i < 1000; i += 50) await Promise.all(Array.from({ length: 50 }, (_, k) => cycle(i + k)));
  expect(opened).toBe(1000);
  await expect.poll(() => [proxyOpen, upstreamOpen]).toEqual([0, 0]);
  expect(listeners()).toEqual(before);
  // The connection is as good as new.
  expect(session.destroyed).toBe(false);
  const proxy = openProxy(port);
  proxy.on('error', () => {});
  proxy.write(Buffer.from('still here'));
  expect(String((await once(proxy, 'data'))[0])).toBe('still here');
});
