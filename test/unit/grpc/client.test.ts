// The client against the independent server (grpc-js), and against servers that are no gRPC at all.

import { once } from 'node:events';
import { createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { describe, expect, onTestFinished, test } from 'vitest';
import { serverStream, unaryCall } from '../../../src/grpc/client.ts';
import { frame } from '../../../src/grpc/framing.ts';
import { status } from '../../../src/grpc/status.ts';
import { bytes, collect, deferred, http2Session } from './support.ts';

type Unary = ServerUnaryCall<Buffer, Buffer>;
type Streaming = ServerWritableStream<Buffer, Buffer>;

const method = (path: string, responseStream: boolean) => ({
  path,
  requestStream: false,
  responseStream,
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
});

/** A grpc-js server with these two methods; its port. */
async function grpcJsServer(handlers: {
  readonly unary?: (call: Unary, callback: sendUnaryData<Buffer>) => void;
  readonly stream?: (call: Streaming) => void;
}): Promise<number> {
  const server = new Server();
  server.addService(
    { Unary: method('/t/Unary', false), Stream: method('/t/Stream', true) },
    { Unary: handlers.unary ?? (() => {}), Stream: handlers.stream ?? (() => {}) },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  onTestFinished(() => server.forceShutdown());
  return port;
}

/** An HTTP/2 server that answers every stream like this; its port. */
async function plainServer(answer: (stream: ServerHttp2Stream) => void): Promise<number> {
  const server = createServer();
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('error', () => {});
    answer(stream);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

describe('unaryCall', () => {
  test('a message there and back, empty and large', async () => {
    const port = await grpcJsServer({ unary: (call, callback) => callback(null, call.request) });
    const session = await http2Session(port);
    for (const size of [0, 1, 1_000_000]) {
      const message = Buffer.alloc(size, 3);
      expect(message.equals(await unaryCall(session, '/t/Unary', message, { timeoutMs: 5000 }))).toBe(true);
    }
  });

  test('headers go with the request, and so does the deadline', async () => {
    const seen = deferred<{ metadata: Metadata; deadline: unknown }>();
    const port = await grpcJsServer({
      unary: (call, callback) => {
        seen.resolve({ metadata: call.metadata, deadline: call.getDeadline() });
        callback(null, Buffer.alloc(0));
      },
    });
    await unaryCall(await http2Session(port), '/t/Unary', Buffer.alloc(0), {
      timeoutMs: 5000,
      headers: { 'x-name': 'agent' },
    });
    expect((await seen.promise).metadata.get('x-name')).toEqual(['agent']);
    expect((await seen.promise).deadline).not.toBe(Number.POSITIVE_INFINITY);
  });

  test('the status of the server, code and message', async () => {
    const port = await grpcJsServer({
      unary: (_, callback) => callback({ code: status.permissionDenied, details: 'nicht für dich: ü%\n' }),
    });
    await expect(
      unaryCall(await http2Session(port), '/t/Unary', Buffer.alloc(0), { timeoutMs: 5000 }),
    ).rejects.toMatchObject({
      code: 7,
      message: 'nicht für dich: ü%\n',
    });
  });

  test('a server that does not answer: the deadline holds here even if it does not there', async () => {
    const closed = deferred();
    const port = await plainServer((stream) => stream.once('close', () => closed.resolve()));
    await expect(
      unaryCall(await http2Session(port), '/t/Unary', Buffer.alloc(0), { timeoutMs: 20 }),
    ).rejects.toMatchObject({
      code: status.deadlineExceeded,
    });
    // And the stream is not left behind.
    await closed.promise;
  });

  test('no connection, a closing one, and one that dies under the call are UNAVAILABLE', async () => {
    const arrived = deferred<ServerHttp2Stream>();
    const port = await plainServer((stream) => arrived.resolve(stream));
    const gone = await http2Session(port);
    gone.destroy();
    const closing = await http2Session(port);
    closing.close();
    const dying = await http2Session(port);
    const unavailable = expect.objectContaining({ code: status.unavailable });
    await expect(unaryCall(gone, '/t/Unary', Buffer.alloc(0), { timeoutMs: 5000 })).rejects.toEqual(
      unavailable,
    );
    await expect(unaryCall(closing, '/t/Unary', Buffer.alloc(0), { timeoutMs: 5000 })).rejects.toEqual(
      unavailable,
    );
    const call = unaryCall(dying, '/t/Unary', Buffer.alloc(0), { timeoutMs: 5000 });
    const outcome = expect(call).rejects.toEqual(unavailable);
    (await arrived.promise).session?.socket.destroy();
    await outcome;
  });

  const grpcHeaders = { ':status': 200, 'content-type': 'application/grpc' };

  test.each<[string, number, (stream: ServerHttp2Stream) => void]>([
    ['HTTP 503', 14, (stream) => stream.respond({ ':status': 503 }, { endStream: true })],
    ['HTTP 404', 12, (stream) => stream.respond({ ':status': 404 }, { endStream: true })],
    [
      'an HTML page',
      2,
      (stream) => {
        stream.respond({ ':status': 200, 'content-type': 'text/html' });
        stream.end('<html>');
      },
    ],
    [
      'OK without a message',
      12,
      (stream) => stream.respond({ ...grpcHeaders, 'grpc-status': '0' }, { endStream: true }),
    ],
    [
      'a status that is no number',
      2,
      (stream) => stream.respond({ ...grpcHeaders, 'grpc-status': 'fine' }, { endStream: true }),
    ],
    [
      'an end without a status',
      14,
      (stream) => {
        stream.respond(grpcHeaders);
        stream.end();
      },
    ],
    ['a reset: REFUSED_STREAM', 14, (stream) => stream.close(7)],
    ['a reset: CANCEL', 1, (stream) => stream.close(8)],
    ['a reset: ENHANCE_YOUR_CALM', 8, (stream) => stream.close(11)],
    ['a reset: INADEQUATE_SECURITY', 7, (stream) => stream.close(12)],
    ['a reset: INTERNAL_ERROR', 13, (stream) => stream.close(2)],
    [
      'a message over the limit',
      8,
      (stream) => {
        stream.respond(grpcHeaders);
        stream.write(frame(Buffer.alloc(101)));
      },
    ],
    [
      'two messages',
      12,
      (stream) => answerOk(stream, Buffer.concat([frame(Buffer.from('a')), frame(Buffer.from('b'))])),
    ],
    ['half a message', 13, (stream) => answerOk(stream, frame(Buffer.from('abc')).subarray(0, 6))],
  ])('%s is status %d', async (_, code, answer) => {
    const port = await plainServer(answer);
    await expect(
      unaryCall(await http2Session(port), '/t/Unary', Buffer.alloc(0), {
        timeoutMs: 5000,
        maxMessageBytes: 100,
      }),
    ).rejects.toMatchObject({ code });
  });

  function answerOk(stream: ServerHttp2Stream, body: Buffer): void {
    stream.respond(grpcHeaders, { waitForTrailers: true });
    stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(body);
  }
});

describe('serverStream', () => {
  const never = new AbortController().signal;

  test('all messages, then the end', async () => {
    const port = await grpcJsServer({
      stream: (call) => {
        for (let i = 0; i < 1000; i++) call.write(Buffer.from(`${call.request} ${i}`));
        call.end();
      },
    });
    const received = await collect(
      serverStream(await http2Session(port), '/t/Stream', Buffer.from('m'), { signal: never }),
    );
    expect(received.map(String)).toEqual(Array.from({ length: 1000 }, (_, i) => `m ${i}`));
  });

  test('messages, then the error', async () => {
    const port = await grpcJsServer({
      stream: (call) => {
        call.write(Buffer.from('one'));
        call.emit('error', { code: status.aborted, details: 'enough' });
      },
    });
    const received: string[] = [];
    await expect(
      (async () => {
        const messages = serverStream(await http2Session(port), '/t/Stream', Buffer.alloc(0), {
          signal: never,
        });
        for await (const message of messages) received.push(String(message));
      })(),
    ).rejects.toMatchObject({ code: 10, message: 'enough' });
    expect(received).toEqual(['one']);
  });

  test('leaving the loop cancels the call at the server', async () => {
    const cancelled = deferred();
    const port = await grpcJsServer({
      stream: (call) => {
        call.on('cancelled', () => cancelled.resolve());
        call.write(Buffer.from('one'));
      },
    });
    for await (const _ of serverStream(await http2Session(port), '/t/Stream', Buffer.alloc(0), {
      signal: never,
    }))
      break;
    await cancelled.promise;
  });

  test('aborting the signal cancels the call and throws, before and during', async () => {
    const cancelled = deferred();
    const port = await grpcJsServer({
      stream: (call) => {
        call.on('cancelled', () => cancelled.resolve());
        call.write(Buffer.from('one'));
      },
    });
    const session = await http2Session(port);
    const controller = new AbortController();
    await expect(
      (async () => {
        for await (const _ of serverStream(session, '/t/Stream', Buffer.alloc(0), {
          signal: controller.signal,
        })) {
          controller.abort();
        }
      })(),
    ).rejects.toMatchObject({ code: status.cancelled });
    await cancelled.promise;
    await expect(
      collect(serverStream(session, '/t/Stream', Buffer.alloc(0), { signal: controller.signal })),
    ).rejects.toThrow();
  });

  test('a consumer that pauses holds the server back', async () => {
    const stalled = deferred();
    let sent = 0;
    const port = await grpcJsServer({
      stream: async (call) => {
        while (call.write(Buffer.alloc(64 * 1024))) sent += 1;
        stalled.resolve();
        call.once('drain', () => call.end());
      },
    });
    const messages = serverStream(await http2Session(port), '/t/Stream', Buffer.alloc(0), { signal: never });
    const first = await messages.next();
    await stalled.promise;
    expect(first.done).toBe(false);
    expect(await collect(messages)).toHaveLength(sent);
  });
});
