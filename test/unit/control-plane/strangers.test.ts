import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  createServer,
  type Http2SecureServer,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { guardStrangers, type StrangerLimits, strangerLimits } from '../../../src/control-plane/strangers.ts';
import { encodeFrame, FrameClient, flag, frameType, grpcRequestHeaders } from '../../support/h2-frames.ts';
import { until } from '../../support/until.ts';

const never: StrangerLimits = { ...strangerLimits, lifeMs: 2_000_000_000 };

/** A server that answers no request; connections that an agent made are those from the second address. */
async function startServer(limits: StrangerLimits): Promise<number> {
  const server = createServer({ settings: { maxConcurrentStreams: 4096 } });
  server.on('stream', (stream) => stream.on('error', () => {}));
  const isAgent = (session: { socket: { remoteAddress?: string | undefined } }) =>
    session.socket.remoteAddress === agentAddress;
  guardStrangers(server as unknown as Pick<Http2SecureServer, 'on'>, isAgent, limits);
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

const agentAddress = '127.0.0.2';

async function open(port: number, localAddress = '127.0.0.1'): Promise<ClientHttp2Session> {
  const session = connect(`http://${localAddress}:${port}`, { localAddress } as object);
  session.on('error', () => {});
  onTestFinished(() => session.destroy());
  await once(session, 'remoteSettings');
  return session;
}

function request(session: ClientHttp2Session): ClientHttp2Stream {
  const stream = session.request({ ':method': 'POST', ':path': '/' }, { endStream: false });
  stream.on('error', () => {});
  return stream;
}

const answered = (session: ClientHttp2Session) =>
  new Promise((resolve) => {
    session.ping(resolve);
  });

describe('a connection without the certificate of an agent', () => {
  test('has a few streams at a time, even if it does not listen to what we set', async () => {
    const client = await FrameClient.start(await startServer(never));
    onTestFinished(() => client.end());
    const streamIds = Array.from({ length: never.maxStreams + 2 }, (_, i) => 2 * i + 1);
    for (const id of streamIds)
      client.write(encodeFrame(frameType.headers, flag.endHeaders, id, grpcRequestHeaders('/')));
    const resets = () => client.frames.filter(({ type }) => type === frameType.rstStream);
    await until('the resets', () => resets().length === 2);
    expect(resets().map(({ streamId }) => streamId)).toEqual(streamIds.slice(-2));
    const codes = resets().map(({ payload }) => payload.readUInt32BE(0));
    expect(new Set(codes)).toEqual(new Set([constants.NGHTTP2_REFUSED_STREAM]));
  });

  test('is told so', async () => {
    const session = await open(await startServer(never));
    await until('the limit', () => session.remoteSettings.maxConcurrentStreams === never.maxStreams);
  });

  test('ends after a while', async () => {
    const session = await open(await startServer({ ...never, lifeMs: 20 }));
    if (!session.destroyed) await once(session, 'close');
    expect(session.destroyed).toBe(true);
  });

  test('gives way to newer ones when there are too many', async () => {
    const port = await startServer({ ...never, maxSessions: 2 });
    const first = await open(port);
    const [second, third] = [await open(port), await open(port)];
    if (!first.destroyed) await once(first, 'close');
    await answered(second);
    await answered(third);
    expect([second.destroyed, third.destroyed]).toEqual([false, false]);
  });
});

test("an agent's connection has none of these limits", async () => {
  const port = await startServer({ maxStreams: 1, lifeMs: 1, maxSessions: 0 });
  const session = await open(port, agentAddress);
  const streams = Array.from({ length: 10 }, () => request(session));
  // By then a stranger's is closed.
  const stranger = await open(port).catch(() => undefined);
  if (stranger !== undefined && !stranger.destroyed) await once(stranger, 'close');
  await answered(session);
  expect(session.destroyed).toBe(false);
  expect(streams.every((stream) => !stream.closed)).toBe(true);
});
