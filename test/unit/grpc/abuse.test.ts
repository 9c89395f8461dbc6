// Peers that behave badly. Each defence has a small limit here and a default in limits.ts; without it the test waits for ever.

import { once } from 'node:events';
import { connect, constants } from 'node:http2';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { StreamCall } from '../../../src/grpc/call.ts';
import { frame, frameHeader } from '../../../src/grpc/framing.ts';
import { GrpcError, status } from '../../../src/grpc/status.ts';
import {
  encodeFrame,
  encodeHeaders,
  FrameClient,
  flag,
  frameType,
  grpcRequestHeaders,
} from '../../support/h2-frames.ts';
import {
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

const hang = stream(() => new Promise(() => {}));

const resetCode = (code: number): Buffer => Buffer.from([0, 0, 0, code]);

async function startFrames(port: number): Promise<FrameClient> {
  const client = await FrameClient.start(port);
  onTestFinished(() => client.end());
  return client;
}

/** The server still serves everyone else. */
async function expectServing(port: number): Promise<void> {
  expect(String(await callUnary(grpcJsClient(port), '/t/Echo', Buffer.from('still here')))).toBe(
    'still here',
  );
}

describe('rapid reset', () => {
  test('a session over its budget is told ENHANCE_YOUR_CALM and closed, its calls are aborted', async () => {
    const aborted: unknown[] = [];
    const { port } = await startServer(
      {
        '/t/Echo': echo,
        '/t/Hang': stream((call) => {
          call.signal.addEventListener('abort', () => aborted.push(call.signal.reason));
          return new Promise(() => {});
        }),
      },
      { maxResets: 20, resetWindowMs: 3_600_000 },
    );
    const client = await startFrames(port);
    for (let id = 1; id < 2 * 30; id += 2) {
      client.write(encodeFrame(frameType.headers, flag.endHeaders, id, grpcRequestHeaders('/t/Hang')));
      client.write(encodeFrame(frameType.rstStream, 0, id, resetCode(constants.NGHTTP2_CANCEL)));
    }
    await client.closed;
    expect(client.goawayCode).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    expect(aborted.length).toBeGreaterThan(20);
    await expectServing(port);
  });

  test('resets with NO_ERROR count as well', async () => {
    const { port } = await startServer({ '/t/Hang': hang }, { maxResets: 5, resetWindowMs: 3_600_000 });
    const client = await startFrames(port);
    for (let id = 1; id < 20; id += 2) {
      client.write(encodeFrame(frameType.headers, flag.endHeaders, id, grpcRequestHeaders('/t/Hang')));
      client.write(encodeFrame(frameType.rstStream, 0, id, resetCode(constants.NGHTTP2_NO_ERROR)));
    }
    await client.closed;
    expect(client.goawayCode).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  });

  test('resets that the client provokes from the server count as well', async () => {
    const { port } = await startServer({ '/t/Hang': hang }, { maxResets: 5, resetWindowMs: 3_600_000 });
    const client = await startFrames(port);
    for (let id = 1; id < 20; id += 2) {
      client.write(encodeFrame(frameType.headers, flag.endHeaders, id, grpcRequestHeaders('/t/Hang')));
      // A WINDOW_UPDATE of 0 is a stream error (RFC 9113 §6.9): the server resets.
      client.write(encodeFrame(8, 0, id, Buffer.alloc(4)));
    }
    await client.closed;
    expect(client.goawayCode).not.toBe(constants.NGHTTP2_NO_ERROR);
  });

  test('calls that end well do not count', async () => {
    const { port } = await startServer({ '/t/Echo': echo }, { maxResets: 1, resetWindowMs: 3_600_000 });
    const client = grpcJsClient(port);
    for (let i = 0; i < 20; i++)
      expect(await callUnary(client, '/t/Echo', Buffer.from('x'))).toEqual(Buffer.from('x'));
  });
});

describe('headers', () => {
  test('a header block that never ends', async () => {
    const { port } = await startServer({ '/t/Echo': echo });
    const client = await startFrames(port);
    client.write(encodeFrame(frameType.headers, 0, 1, grpcRequestHeaders('/t/Echo')));
    const more = encodeFrame(frameType.continuation, 0, 1, encodeHeaders({ 'x-more': 'a'.repeat(100) }));
    const flood = setInterval(() => client.write(more), 1);
    onTestFinished(() => clearInterval(flood));
    await client.closed;
    await expectServing(port);
  });

  test.each([
    ['too large', { maxHeaderBytes: 1000 }, { 'x-large': 'a'.repeat(1000) }],
    [
      'too many',
      { maxHeaderPairs: 20 },
      Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`x-${i}`, ''])),
    ],
  ])('%s: the stream is reset before any handler sees it', async (_, limits, headers) => {
    const { port } = await startServer({ '/t/Echo': echo }, limits);
    const session = await http2Session(port);
    // The answer to a ping comes after the acknowledged SETTINGS, which bring the limits into force.
    if (session.remoteSettings.maxHeaderListSize === undefined) await once(session, 'remoteSettings');
    await new Promise((resolve) => session.ping(resolve));
    const call = session.request({ ...requestHeaders('/t/Echo'), ...headers });
    const [error] = await once(call, 'error');
    expect(error).toMatchObject({ code: 'ERR_HTTP2_STREAM_ERROR' });
    expect(call.rstCode).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    await expectServing(port);
  });
});

describe('too much at once', () => {
  test('streams over the limit are refused, the others go on', async () => {
    const release = deferred();
    const { port } = await startServer(
      {
        '/t/Wait': unary(async () => {
          await release.promise;
          return Buffer.from('done');
        }),
      },
      { maxConcurrentStreams: 2 },
    );
    const client = await startFrames(port);
    for (const id of [1, 3, 5]) {
      client.write(encodeFrame(frameType.headers, flag.endHeaders, id, grpcRequestHeaders('/t/Wait')));
      client.write(encodeFrame(frameType.data, flag.endStream, id, frame(Buffer.alloc(0))));
    }
    await expect
      .poll(() => client.frames.find((sent) => sent.type === frameType.rstStream))
      .toMatchObject({
        streamId: 5,
        payload: resetCode(constants.NGHTTP2_REFUSED_STREAM),
      });
    release.resolve();
    await expect
      .poll(() => client.frames.filter((sent) => sent.type === frameType.data).map((sent) => sent.streamId))
      .toEqual([1, 3]);
  });

  test('connections over the limit are closed at once', async () => {
    const { port } = await startServer({ '/t/Echo': echo }, { maxSessions: 1 });
    const first = await http2Session(port);
    const second = await FrameClient.open(port);
    await second.closed;
    first.destroy();
    await once(first, 'close');
    await expect
      .poll(async () => String(await callUnary(grpcJsClient(port), '/t/Echo', Buffer.from('x'))))
      .toBe('x');
  });

  test('a message over the limit is refused by its header', async () => {
    const { port } = await startServer({ '/t/Echo': echo }, { maxMessageBytes: 1000 });
    const session = await http2Session(port);
    const call = session.request(requestHeaders('/t/Echo'), { endStream: false });
    call.write(frameHeader(1001));
    const [headers] = await once(call, 'response');
    expect(headers['grpc-status']).toBe('8');
  });

  test('what waits in one session for slow readers does not refuse it new streams', async () => {
    const { port } = await startServer({
      '/t/Echo': echo,
      '/t/Much': stream(async (call) =>
        call.write(Array.from({ length: 8 }, () => Buffer.alloc(128 * 1024))),
      ),
    });
    const session = await http2Session(port);
    const slow = Array.from({ length: 200 }, () => {
      const call = session.request(requestHeaders('/t/Much'));
      call.on('error', () => {});
      call.pause();
      return call;
    });
    await Promise.all(slow.map((call) => once(call, 'response')));
    const call = session.request(requestHeaders('/t/Echo'));
    call.end(frame(Buffer.from('x')));
    expect(Buffer.concat(await collect(call))).toEqual(frame(Buffer.from('x')));
  });
});

describe('peers that only wait', () => {
  test('a connection without a preface is closed', async () => {
    const { port } = await startServer({}, { handshakeMs: 50 });
    const client = await FrameClient.open(port);
    await client.closed;
  });

  test('a client that never acknowledges the limits it was told is closed', async () => {
    const { port } = await startServer({ '/t/Hang': hang }, { handshakeMs: 50 });
    const obedient = await http2Session(port);
    obedient.request(requestHeaders('/t/Hang'), { endStream: false }).on('error', () => {});
    const client = await startFrames(port);
    client.write(encodeFrame(frameType.headers, flag.endHeaders, 1, grpcRequestHeaders('/t/Hang')));
    await client.closed;
    expect(obedient.destroyed).toBe(false);
  });

  test('a session without streams is closed, gracefully', async () => {
    const { port } = await startServer({ '/t/Echo': echo }, { idleMs: 50 });
    const session = await http2Session(port);
    const goaway = once(session, 'goaway');
    const call = session.request(requestHeaders('/t/Echo'));
    call.end(frame(Buffer.alloc(0)));
    call.resume();
    await once(call, 'close');
    expect((await goaway)[0]).toBe(constants.NGHTTP2_NO_ERROR);
    await once(session, 'close');
  });

  test('a session with an open stream is not idle', async () => {
    const { port } = await startServer({ '/t/Echo': echo, '/t/Hang': hang }, { idleMs: 20 });
    const session = await http2Session(port);
    session.request(requestHeaders('/t/Hang'), { endStream: false }).on('error', () => {});
    const closedFirst = await Promise.race([
      once(session, 'goaway').then(() => 'the busy session'),
      (async () => {
        const idle = await http2Session(port);
        await once(idle, 'close');
        return 'the idle session';
      })(),
    ]);
    expect(closedFirst).toBe('the idle session');
  });

  test('a session that was busy for longer than it may be idle is closed once it is idle', async () => {
    const { port } = await startServer({ '/t/Hang': hang }, { idleMs: 20 });
    const session = await http2Session(port);
    const call = session.request(requestHeaders('/t/Hang'), { endStream: false });
    call.on('error', () => {});
    const other = await http2Session(port);
    await once(other, 'close');
    expect(session.closed).toBe(false);
    const goaway = once(session, 'goaway');
    call.close(constants.NGHTTP2_CANCEL);
    expect((await goaway)[0]).toBe(constants.NGHTTP2_NO_ERROR);
  });

  test('a peer that answers no ping is gone; one that does stays', async () => {
    const { port } = await startServer({ '/t/Hang': hang }, { pingIntervalMs: 20, pingTimeoutMs: 50 });
    const alive = await http2Session(port);
    alive.request(requestHeaders('/t/Hang'), { endStream: false }).on('error', () => {});
    const dead = await startFrames(port);
    dead.write(encodeFrame(frameType.headers, flag.endHeaders, 1, grpcRequestHeaders('/t/Hang')));
    await dead.closed;
    expect(dead.frames.some((sent) => sent.type === frameType.ping)).toBe(true);
    expect(alive.destroyed).toBe(false);
  });

  test('a unary request that drips is ended, whatever the caller makes of its deadline', async () => {
    const { port } = await startServer({ '/t/Echo': echo }, { requestMs: 50, stallMs: 50 });
    const session = await http2Session(port);
    const call = session.request(requestHeaders('/t/Echo'), { endStream: false });
    call.on('error', () => {});
    const drip = setInterval(() => call.write(Buffer.alloc(1)), 5);
    onTestFinished(() => clearInterval(drip));
    call.write(frameHeader(1000));
    const [headers] = await once(call, 'response');
    expect(headers['grpc-status']).toBe('4');
    // And the stream's place is free again although the caller never half-closed.
    clearInterval(drip);
    await once(call, 'close');
  });

  test('a call that is over but that its caller never half-closes is reset', async () => {
    const { port } = await startServer({ '/t/Over': stream(async () => {}) }, { stallMs: 50 });
    const client = await startFrames(port);
    client.write(encodeFrame(frameType.headers, flag.endHeaders, 1, grpcRequestHeaders('/t/Over')));
    await expect.poll(() => client.frames.some((sent) => sent.type === frameType.rstStream)).toBe(true);
  });
});

describe('a peer that does not read', () => {
  /** Every stream of this session may receive this much, and no more is ever granted. */
  async function closedWindow(port: number, initialWindowSize: number) {
    const session = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize } });
    session.on('error', () => {});
    onTestFinished(() => session.destroy());
    await once(session, 'connect');
    return session;
  }

  test('write() waits, and after the stall time the stream is reset and the call aborted', async () => {
    const outcome = deferred<{ writes: number; reason: unknown }>();
    const { port } = await startServer(
      {
        '/t/Pour': stream(async (call) => {
          let writes = 0;
          try {
            for (;;) {
              await call.write(Buffer.alloc(64 * 1024));
              writes += 1;
            }
          } catch (error) {
            outcome.resolve({ writes, reason: error });
          }
        }),
      },
      { stallMs: 50 },
    );
    const session = await closedWindow(port, 0);
    const call = session.request(requestHeaders('/t/Pour'));
    call.on('error', () => {});
    call.end(frame(Buffer.alloc(0)));
    await once(call, 'close');
    expect(call.rstCode).toBe(constants.NGHTTP2_CANCEL);
    const { writes, reason } = await outcome.promise;
    // Only writes that resolved count: the one that met the closed window resolved when the stream was reset.
    expect(writes).toBe(1);
    expect(reason).toMatchObject({ code: status.cancelled, message: 'the caller does not read' });
  });

  test('a unary answer that nobody takes is reset', async () => {
    const { port } = await startServer({ '/t/Echo': echo }, { stallMs: 50 });
    const session = await closedWindow(port, 10);
    const call = session.request(requestHeaders('/t/Echo'));
    call.on('error', () => {});
    call.end(frame(Buffer.alloc(1000)));
    await once(call, 'close');
    expect(call.rstCode).toBe(constants.NGHTTP2_CANCEL);
  });

  test('a handler that does not await its writes is stopped at the limit, and not with the process', async () => {
    const outcome = deferred<unknown>();
    const { port } = await startServer(
      {
        '/t/Pour': stream(async (call) => {
          for (let i = 0; i < 100; i++) void call.write(Buffer.alloc(64 * 1024));
          await call.write(Buffer.alloc(1)).catch((error: unknown) => outcome.resolve(error));
        }),
      },
      { maxOutboundBytes: 256 * 1024, stallMs: 50 },
    );
    const session = await closedWindow(port, 0);
    session.request(requestHeaders('/t/Pour')).on('error', () => {});
    expect(await outcome.promise).toMatchObject({ code: status.resourceExhausted });
  });

  test('a peer whose socket is full does not stop the server from serving others', async () => {
    const opened = deferred<StreamCall>();
    const { port } = await startServer(
      {
        '/t/Echo': echo,
        '/t/Pour': stream(async (call) => {
          opened.resolve(call);
          for (;;) await call.write(Buffer.alloc(1024 * 1024));
        }),
      },
      { stallMs: 100 },
    );
    const client = await startFrames(port);
    client.stopReading();
    // Windows as large as they can be: only TCP holds the server back.
    client.write(encodeFrame(8, 0, 0, Buffer.from([0x7f, 0, 0, 0])));
    client.write(encodeFrame(frameType.headers, flag.endHeaders, 1, grpcRequestHeaders('/t/Pour')));
    client.write(encodeFrame(8, 0, 1, Buffer.from([0x7f, 0, 0, 0])));
    const call = await opened.promise;
    await expectServing(port);
    if (!call.signal.aborted) await once(call.signal, 'abort');
    expect(call.signal.reason).toBeInstanceOf(GrpcError);
  });
});

test('a handler that does not read holds its caller back, and loses nothing', async () => {
  const release = deferred();
  const counted = deferred<number>();
  const { port } = await startServer({
    '/t/Slow': stream(async (call) => {
      let messages = 0;
      for await (const _ of call.messages) {
        messages += 1;
        await release.promise;
      }
      counted.resolve(messages);
    }),
  });
  const session = await http2Session(port);
  const call = session.request(requestHeaders('/t/Slow'), { endStream: false });
  call.on('error', () => {});
  const message = frame(Buffer.alloc(1024));
  for (let i = 0; i < 2000; i++) call.write(message);
  // Each answered ping is a full turn of the connection. 2 MB would take about 32 of them.
  for (let i = 0; i < 200; i++) await new Promise((resolve) => session.ping(resolve));
  expect(call.writableNeedDrain).toBe(true);
  release.resolve();
  call.end();
  expect(await counted.promise).toBe(2000);
});
