// What one method asks of its callers beyond what the server asks of all.

import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { frameHeader } from '../../../src/grpc/framing.ts';
import { GrpcError, status } from '../../../src/grpc/status.ts';
import { callUnary, grpcJsClient, http2Session, requestHeaders, startServer } from './support.ts';

const echo = async (request: Uint8Array) => request;

describe('a unary method', () => {
  test('refuses requests over its own limit as soon as they are announced', async () => {
    const { port } = await startServer({
      '/t/Small': { kind: 'unary', handle: echo, maxRequestBytes: 1000 },
      '/t/Any': { kind: 'unary', handle: echo },
    });
    const client = grpcJsClient(port);
    expect(await callUnary(client, '/t/Small', Buffer.alloc(1000))).toHaveLength(1000);
    expect(await callUnary(client, '/t/Any', Buffer.alloc(1001))).toHaveLength(1001);
    const stream = (await http2Session(port)).request(requestHeaders('/t/Small'), { endStream: false });
    stream.on('error', () => {});
    stream.write(frameHeader(1001));
    const [headers] = await once(stream, 'response');
    expect(headers['grpc-status']).toBe(String(status.resourceExhausted));
    stream.destroy();
  });

  test('may answer more than it may be asked', async () => {
    const { port } = await startServer({
      '/t/Grow': { kind: 'unary', handle: () => Buffer.alloc(1001), maxRequestBytes: 1000 },
    });
    expect(await callUnary(grpcJsClient(port), '/t/Grow', Buffer.alloc(0))).toHaveLength(1001);
  });

  test('turns callers away before they have sent anything', async () => {
    let handled = 0;
    const { port } = await startServer({
      '/t/Closed': {
        kind: 'unary',
        handle: async (request) => {
          handled++;
          return request;
        },
        admit: ({ headers }) => {
          if (headers['x-key'] !== 'open') throw new GrpcError(status.unauthenticated, 'who are you?');
        },
      },
    });
    const session = await http2Session(port);
    const stream = session.request(requestHeaders('/t/Closed'), { endStream: false });
    stream.on('error', () => {});
    const [headers] = await once(stream, 'response');
    expect(headers['grpc-status']).toBe(String(status.unauthenticated));
    stream.destroy();
    expect(handled).toBe(0);
    const admitted = session.request({ ...requestHeaders('/t/Closed'), 'x-key': 'open' });
    admitted.end(frameHeader(0));
    await once(admitted, 'response');
    expect(handled).toBe(1);
  });
});
