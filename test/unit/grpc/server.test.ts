// The server as an independent client sees it: grpc-js, and plain HTTP/2 for what grpc-js never sends.

import { once } from 'node:events';
import type { ClientHttp2Session, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import { Metadata, type ServiceError } from '@grpc/grpc-js';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { StreamCall } from '../../../src/grpc/call.ts';
import { frame } from '../../../src/grpc/framing.ts';
import { GrpcError, status } from '../../../src/grpc/status.ts';
import { encodeFrame, FrameClient, flag, frameType, grpcRequestHeaders } from '../../support/h2-frames.ts';
import {
  bytes,
  callUnary,
  collect,
  deferred,
  grpcJsClient,
  http2Session,
  requestHeaders,
  startServer,
  stream,
  unary,
} from './support.ts';

const echo = unary(async (request) => request);

const echoStream = stream(async (call) => {
  for await (const message of call.messages) await call.write(message);
});

interface Answer {
  readonly httpStatus: number;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** One request over plain HTTP/2, to its end. */
async function request(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body: Buffer,
): Promise<Answer> {
  const call = session.request(headers, { endStream: false });
  let answer: IncomingHttpHeaders & { ':status'?: number | undefined } = {};
  let trailers: IncomingHttpHeaders = {};
  call.on('response', (received) => {
    answer = received;
  });
  call.on('trailers', (received) => {
    trailers = received;
  });
  call.end(body);
  const chunks: Buffer[] = [];
  for await (const chunk of call) chunks.push(chunk);
  if (!call.closed) await once(call, 'close');
  return { httpStatus: answer[':status'] ?? 0, headers: answer, trailers, body: Buffer.concat(chunks) };
}

describe('unary calls', () => {
  test('a message there and back, empty and large', async () => {
    const { port } = await startServer({ '/t/Echo': echo });
    const client = grpcJsClient(port);
    for (const size of [0, 1, 100_000, 4 * 1024 * 1024]) {
      const message = Buffer.alloc(size, 7);
      expect(message.equals((await callUnary(client, '/t/Echo', message)) as Buffer)).toBe(true);
    }
  });

  test('a handler may answer, and fail, at once', async () => {
    const { port } = await startServer({
      '/t/Echo': unary((request) => request),
      '/t/Fail': unary(() => {
        throw new GrpcError(status.notFound, 'not here');
      }),
    });
    const client = grpcJsClient(port);
    for (const size of [0, 1, 100_000]) {
      const message = Buffer.alloc(size, 7);
      expect(message.equals((await callUnary(client, '/t/Echo', message)) as Buffer)).toBe(true);
    }
    expect(await callUnary(client, '/t/Fail', Buffer.alloc(0))).toMatchObject({
      code: 5,
      details: 'not here',
    });
  });

  test('a thousand at once on one session', async () => {
    const { port } = await startServer({ '/t/Echo': echo });
    const client = grpcJsClient(port);
    const sent = Array.from({ length: 1000 }, (_, i) => Buffer.from(`message ${i}`));
    expect(await Promise.all(sent.map((message) => callUnary(client, '/t/Echo', message)))).toEqual(sent);
  });

  test('a GrpcError arrives with its code and its message, whatever characters it holds', async () => {
    const { port, handlerErrors } = await startServer({
      '/t/Fail': unary(async () => {
        throw new GrpcError(status.failedPrecondition, 'nicht bereit: 100 % „später“\n');
      }),
    });
    expect(await callUnary(grpcJsClient(port), '/t/Fail', Buffer.alloc(0))).toMatchObject({
      code: 9,
      details: 'nicht bereit: 100 % „später“\n',
    });
    expect(handlerErrors).toEqual([]);
  });

  test('any other error is INTERNAL without a word of it, and reported here', async () => {
    const secret = new Error('the password is hunter2');
    const { port, handlerErrors } = await startServer({
      '/t/Fail': unary(() => {
        throw secret;
      }),
    });
    expect(await callUnary(grpcJsClient(port), '/t/Fail', Buffer.alloc(0))).toMatchObject({
      code: 13,
      details: 'internal error',
    });
    expect(handlerErrors).toEqual([secret]);
  });

  test('an unknown method is UNIMPLEMENTED', async () => {
    const { port } = await startServer({});
    expect(await callUnary(grpcJsClient(port), '/t/Nothing', Buffer.alloc(0))).toMatchObject({ code: 12 });
  });

  test('metadata reaches the handler, and so does the connection', async () => {
    const { port } = await startServer({
      '/t/Who': unary(async (_, call) =>
        Buffer.from(`${call.headers['x-name']} ${call.session.socket.remoteAddress} ${call.path}`),
      ),
    });
    const metadata = new Metadata();
    metadata.set('x-name', 'gateway');
    const answer = await new Promise((resolve) => {
      grpcJsClient(port).makeUnaryRequest(
        '/t/Who',
        bytes,
        bytes,
        Buffer.alloc(0),
        metadata,
        (error, response) => resolve(error ?? String(response)),
      );
    });
    expect(answer).toBe('gateway 127.0.0.1 /t/Who');
  });

  test('an answer over the limit is an error, not a broken stream', async () => {
    const { port } = await startServer(
      { '/t/Big': unary(async () => Buffer.alloc(101)) },
      { maxMessageBytes: 100 },
    );
    expect(await callUnary(grpcJsClient(port), '/t/Big', Buffer.alloc(0))).toMatchObject({ code: 8 });
  });

  test.each(['1m', '20m', '60m'])(
    'a deadline of %s aborts the handler and is answered by the server',
    async (timeout) => {
      const reason = deferred<unknown>();
      const { port } = await startServer({
        '/t/Slow': unary((_, call) => {
          call.signal.addEventListener('abort', () => reason.resolve(call.signal.reason));
          return new Promise(() => {});
        }),
      });
      const session = await http2Session(port);
      const answer = await request(
        session,
        { ...requestHeaders('/t/Slow'), 'grpc-timeout': timeout },
        frame(Buffer.alloc(0)),
      );
      expect(answer.headers['grpc-status']).toBe('4');
      expect(await reason.promise).toMatchObject({ code: status.deadlineExceeded });
    },
  );

  test('a cancelled call aborts the signal', async () => {
    const arrived = deferred();
    const aborted = deferred<unknown>();
    const { port } = await startServer({
      '/t/Slow': unary((_, call) => {
        call.signal.addEventListener('abort', () => aborted.resolve(call.signal.reason));
        arrived.resolve();
        return new Promise(() => {});
      }),
    });
    const slow = grpcJsClient(port).makeUnaryRequest('/t/Slow', bytes, bytes, Buffer.alloc(0), () => {});
    await arrived.promise;
    slow.cancel();
    expect(await aborted.promise).toMatchObject({ code: status.cancelled });
  });

  test.each([
    ['none', Buffer.alloc(0), '12'],
    ['two', Buffer.concat([frame(Buffer.from('a')), frame(Buffer.from('b'))]), '12'],
    ['half of one', frame(Buffer.from('abc')).subarray(0, 6), '13'],
    ['a compressed one', Buffer.from([1, 0, 0, 0, 1, 0]), '12'],
    ['no framing at all', Buffer.from('GET / HTTP/1.1'), '13'],
  ])('instead of one request message, %s', async (_, body, code) => {
    const { port, handlerErrors } = await startServer({ '/t/Echo': echo });
    const answer = await request(await http2Session(port), requestHeaders('/t/Echo'), body);
    expect(answer.headers['grpc-status'] ?? answer.trailers['grpc-status']).toBe(code);
    expect(handlerErrors).toEqual([]);
  });

  test('a request spread over many DATA frames', async () => {
    const { port } = await startServer({ '/t/Echo': echo });
    const call = (await http2Session(port)).request(requestHeaders('/t/Echo'));
    const wire = frame(Buffer.from('in pieces'));
    for (const byte of wire) {
      await new Promise<void>((resolve) => call.write(Buffer.from([byte]), () => resolve()));
    }
    call.end();
    expect(Buffer.concat(await collect(call))).toEqual(wire);
  });
});

describe('what is no gRPC request', () => {
  test.each([
    ['GET', { ':method': 'GET' }, 405, undefined],
    ['another content type', { 'content-type': 'application/json' }, 415, undefined],
    ['a content type that only begins like it', { 'content-type': 'application/grpcx' }, 415, undefined],
    ['no te: trailers', { te: undefined }, 200, '3'],
    ['a malformed timeout', { 'grpc-timeout': 'soon' }, 200, '3'],
  ])('%s', async (_, headers, httpStatus, grpcStatus) => {
    const { port } = await startServer({ '/t/Echo': echo });
    const merged = Object.fromEntries(
      Object.entries({ ...requestHeaders('/t/Echo'), ...headers }).filter(([, value]) => value !== undefined),
    );
    const answer = await request(await http2Session(port), merged, Buffer.alloc(0));
    expect(answer.httpStatus).toBe(httpStatus);
    expect(answer.headers['grpc-status']).toBe(grpcStatus);
  });

  test.each(['application/grpc+proto', 'application/grpc;charset=utf-8'])(
    '%s is one',
    async (contentType) => {
      const { port } = await startServer({ '/t/Echo': echo });
      const headers = { ...requestHeaders('/t/Echo'), 'content-type': contentType };
      const answer = await request(await http2Session(port), headers, frame(Buffer.from('x')));
      expect(answer.trailers['grpc-status']).toBe('0');
      expect(answer.body).toEqual(frame(Buffer.from('x')));
    },
  );
});

describe('streams', () => {
  test('both ways, one after another and many in one chunk', async () => {
    const { port } = await startServer({ '/t/Echo': echoStream });
    const call = grpcJsClient(port).makeBidiStreamRequest('/t/Echo', bytes, bytes);
    const received: string[] = [];
    const ended = once(call, 'status');
    call.on('data', (message: Buffer) => {
      received.push(String(message));
      if (received.length === 1) {
        for (let i = 1; i < 100; i++) call.write(Buffer.from(String(i)));
        call.end();
      }
    });
    call.write(Buffer.from('0'));
    expect((await ended)[0]).toMatchObject({ code: 0 });
    expect(received).toEqual(Array.from({ length: 100 }, (_, i) => String(i)));
  });

  test('a message in pieces is one message', async () => {
    const pieces = Array.from({ length: 500 }, (_, i) => Buffer.alloc(300, i));
    const { port } = await startServer({
      '/t/Pieces': stream(async (call) => {
        await call.write(pieces);
        await call.write([]);
        await call.write([Buffer.from('a'), Buffer.from('b')]);
      }),
    });
    const call = grpcJsClient(port).makeServerStreamRequest('/t/Pieces', bytes, bytes, Buffer.alloc(0));
    const received = (await collect(call)) as Buffer[];
    expect(received).toEqual([Buffer.concat(pieces), Buffer.alloc(0), Buffer.from('ab')]);
  });

  test('half-close ends the messages, not the call', async () => {
    const { port } = await startServer({
      '/t/Count': stream(async (call) => {
        const all = await collect(call.messages);
        await call.write(Buffer.from(`${all.length} messages`));
      }),
    });
    const call = grpcJsClient(port).makeBidiStreamRequest('/t/Count', bytes, bytes);
    call.write(Buffer.from('a'));
    call.write(Buffer.from('b'));
    call.end();
    expect((await collect(call)).map(String)).toEqual(['2 messages']);
  });

  test('a call may end before its caller half-closes, also with an error after messages', async () => {
    const { port } = await startServer({
      '/t/First': stream(async (call) => {
        for await (const message of call.messages) {
          await call.write(message);
          throw new GrpcError(status.outOfRange, 'one is enough');
        }
      }),
    });
    const call = grpcJsClient(port).makeBidiStreamRequest('/t/First', bytes, bytes);
    const failed = once(call, 'error');
    const received: Buffer[] = [];
    call.on('data', (message: Buffer) => received.push(message));
    call.write(Buffer.from('a'));
    expect((await failed)[0]).toMatchObject({ code: 11, details: 'one is enough' });
    expect(received).toEqual([Buffer.from('a')]);
  });

  test('a call without a message and without an error is OK', async () => {
    const { port } = await startServer({ '/t/Nothing': stream(async () => {}) });
    const call = grpcJsClient(port).makeBidiStreamRequest('/t/Nothing', bytes, bytes);
    const ended = once(call, 'status');
    call.resume();
    expect((await ended)[0]).toMatchObject({ code: 0 });
  });

  test('a cut in the middle of a message is an error, the messages before it are delivered', async () => {
    const seen = deferred<{ messages: number; error: unknown }>();
    const { port } = await startServer({
      '/t/Read': stream(async (call) => {
        let messages = 0;
        try {
          for await (const _ of call.messages) messages += 1;
        } catch (error) {
          seen.resolve({ messages, error });
          throw error;
        }
      }),
    });
    const body = Buffer.concat([frame(Buffer.from('a')), frame(Buffer.from('bc')).subarray(0, 6)]);
    const answer = await request(await http2Session(port), requestHeaders('/t/Read'), body);
    expect(answer.headers['grpc-status']).toBe('13');
    expect(await seen.promise).toMatchObject({ messages: 1, error: { code: status.internal } });
  });

  // Node's own client (and grpc-js on it) half-closes before it resets, so this one speaks frames.
  test('a reset without half-close ends the messages with an error, and a signal first looked at afterwards is aborted', async () => {
    const outcome = deferred<readonly unknown[]>();
    const { port } = await startServer({
      '/t/Read': stream(async (call) => {
        const seen: unknown[] = [];
        try {
          for await (const message of call.messages) seen.push(String(message));
        } catch (error) {
          outcome.resolve([...seen, error, call.signal.aborted]);
        }
      }),
    });
    const client = await FrameClient.start(port);
    onTestFinished(() => client.end());
    client.write(encodeFrame(frameType.headers, flag.endHeaders, 1, grpcRequestHeaders('/t/Read')));
    client.write(encodeFrame(frameType.data, 0, 1, frame(Buffer.from('a'))));
    client.write(encodeFrame(frameType.rstStream, 0, 1, Buffer.from([0, 0, 0, 8])));
    expect((await outcome.promise).at(-2)).toMatchObject({ code: status.cancelled });
    expect((await outcome.promise).at(-1)).toBe(true);
  });

  test('after the connection is lost, waiting for messages and writing both throw', async () => {
    const opened = deferred<StreamCall>();
    const outcome = deferred<unknown>();
    const { port } = await startServer({
      '/t/Wait': stream(async (call) => {
        opened.resolve(call);
        await collect(call.messages).catch((error: unknown) => outcome.resolve(error));
      }),
    });
    const session = await http2Session(port);
    const stream1 = session.request(requestHeaders('/t/Wait'), { endStream: false });
    stream1.on('error', () => {});
    const call = await opened.promise;
    session.destroy();
    expect(await outcome.promise).toMatchObject({ code: status.cancelled });
    await expect(call.write(Buffer.from('x'))).rejects.toMatchObject({ code: status.cancelled });
    expect(call.signal.aborted).toBe(true);
  });

  test('two consumers of one call are a mistake that is said aloud', async () => {
    const { port, handlerErrors } = await startServer({
      '/t/Two': stream(async (call) => {
        await Promise.all([collect(call.messages), collect(call.messages)]);
      }),
    });
    const call = grpcJsClient(port).makeBidiStreamRequest('/t/Two', bytes, bytes);
    const failed = once(call, 'error') as Promise<[ServiceError]>;
    call.resume();
    call.write(Buffer.from('a'));
    expect((await failed)[0].code).toBe(13);
    expect(handlerErrors).toEqual([]);
  });

  test('a raw method owns its stream', async () => {
    const { port } = await startServer({
      '/t/Raw': {
        kind: 'raw',
        handle: (raw, headers) => {
          raw.respond({
            ':status': 200,
            'content-type': 'application/grpc',
            'x-path': headers[':path'] ?? '',
          });
          raw.pipe(raw);
        },
      },
    });
    const answer = await request(
      await http2Session(port),
      requestHeaders('/t/Raw'),
      Buffer.from('any bytes'),
    );
    expect(answer.headers['x-path']).toBe('/t/Raw');
    expect(String(answer.body)).toBe('any bytes');
  });
});

describe('closing', () => {
  test('calls under way finish, new connections are refused', async () => {
    const arrived = deferred();
    const release = deferred();
    const { port, grpc } = await startServer({
      '/t/Slow': unary(async () => {
        arrived.resolve();
        await release.promise;
        return Buffer.from('finished');
      }),
    });
    const slow = callUnary(grpcJsClient(port), '/t/Slow', Buffer.alloc(0));
    await arrived.promise;
    const closed = grpc.close(60_000);
    expect(await callUnary(grpcJsClient(port), '/t/Slow', Buffer.alloc(0))).toMatchObject({ code: 14 });
    release.resolve();
    expect(String(await slow)).toBe('finished');
    await closed;
  });

  test('an endless call is ended at once with UNAVAILABLE', async () => {
    const opened = deferred();
    const { port, grpc } = await startServer({
      '/t/Watch': {
        kind: 'stream',
        endless: true,
        handle: async (call) => {
          opened.resolve();
          await collect(call.messages);
        },
      },
    });
    const call = grpcJsClient(port).makeBidiStreamRequest('/t/Watch', bytes, bytes);
    const failed = once(call, 'error');
    call.resume();
    call.write(Buffer.alloc(0));
    await opened.promise;
    await grpc.close(3_600_000);
    expect((await failed)[0]).toMatchObject({ code: 14, details: 'the server is shutting down; call again' });
  });

  test('clients are told by GOAWAY that this is no error', async () => {
    const { port, grpc } = await startServer({ '/t/Echo': echo });
    const session = await http2Session(port);
    const goaway = once(session, 'goaway');
    await grpc.close(3_600_000);
    expect((await goaway)[0]).toBe(0);
  });

  test('after the grace the rest is told UNAVAILABLE, and their signals abort', async () => {
    const arrived = deferred<AbortSignal>();
    const { port, grpc } = await startServer({
      '/t/Stuck': unary((_, call) => {
        arrived.resolve(call.signal);
        return new Promise(() => {});
      }),
    });
    const stuck = callUnary(grpcJsClient(port), '/t/Stuck', Buffer.alloc(0));
    const signal = await arrived.promise;
    await grpc.close(0);
    expect(await stuck).toMatchObject({ code: 14, details: 'the server is shutting down; call again' });
    expect(signal.aborted).toBe(true);
  });

  test('a session whose raw stream never ends is destroyed after the grace', async () => {
    const opened = deferred();
    const { port, grpc } = await startServer({
      '/t/Raw': {
        kind: 'raw',
        handle: (raw) => {
          raw.respond({ ':status': 200 });
          opened.resolve();
        },
      },
    });
    const session = await http2Session(port);
    session.request(requestHeaders('/t/Raw'), { endStream: false }).on('error', () => {});
    await opened.promise;
    const closed = once(session, 'close');
    await grpc.close(0);
    await closed;
  });
});
