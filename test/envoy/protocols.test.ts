// What travels through the mesh beside plain requests: TCP as CONNECT streams, gRPC, WebSockets.

import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Client, credentials, status as grpcStatus, type ServiceError } from '@grpc/grpc-js';
import { beforeAll, describe, expect, test } from 'vitest';
import { type App, echoApp, type RunningApp, tcpApp } from '../support/apps.ts';
import { onEnd } from '../support/cleanup.ts';
import { grpcApp } from '../support/grpc-app.ts';
import { httpTunnel, response } from '../support/http-client.ts';
import { allow, policy } from '../support/manifests.ts';
import { Mesh, type MeshWorkload } from '../support/mesh.ts';
import { until } from '../support/until.ts';

let mesh: Mesh;
let client: MeshWorkload;
let other: MeshWorkload;

const banner = '220 ready\r\n';

let closed = 0;

/** Speaks first, then echoes. */
const greeter: App = tcpApp((socket) => {
  socket.on('close', () => closed++);
  socket.write(banner);
  socket.pipe(socket);
});

beforeAll(async () => {
  mesh = await Mesh.start({
    workloads: {
      client: {},
      other: {},
      server: {
        ports: [
          { port: 80, targetPort: 8080, appProtocol: 'http', app: echoApp },
          { port: 50_051, targetPort: 9090, appProtocol: 'http2', app: grpcApp },
          { port: 5432, targetPort: 5432, appProtocol: 'tcp', app: greeter },
        ],
      },
    },
    manifests: {
      'policy.yaml': [policy('callers', { authorization: [allow(['client'])] }, { app: 'server' })],
    },
  });
  client = mesh.workload('client');
  other = mesh.workload('other');
});

function app(port: number): RunningApp {
  const found = mesh.workload('server').apps.get(port);
  if (found === undefined) throw new Error(`no application on ${port}`);
  return found;
}

const denied = 'rbac_access_denied_matched_policy[deny:shop/callers]';

/** The next bytes, as many as `expected` has. */
async function read(stream: Duplex, expected: string): Promise<string> {
  let got = '';
  while (got.length < expected.length) got += String((await once(stream, 'data'))[0]);
  return got;
}

describe('TCP', () => {
  test('an allowed client that says nothing hears the server speak first, then both talk', async () => {
    const { status, stream } = await client.tunnel('server:5432');
    expect(status).toBe(200);
    expect(await read(stream, banner)).toBe(banner);
    stream.write('hello');
    expect(await read(stream, 'hello')).toBe('hello');
  });

  test('many tunnels share one connection between the proxies', async () => {
    const handshakes = 'listener.inbound.ssl.handshake';
    const before = await mesh.workload('server').stat(handshakes);
    const tunnels = await Promise.all(Array.from({ length: 5 }, () => client.tunnel('server:5432')));
    for (const { stream } of tunnels) expect(await read(stream, banner)).toBe(banner);
    expect(await mesh.workload('server').stat(handshakes)).toBe(before);
  });

  test('a denied client gets the name of the policy and not one byte of the server', async () => {
    const before = app(5432).seen.length;
    const { status, headers, stream } = await other.tunnel('server:5432');
    expect([status, headers['x-trellis-denied']]).toEqual([403, denied]);
    // The refusal's own body, and no byte more.
    expect(JSON.parse(await text(stream))).toEqual({ error: 'denied by the mesh', reason: denied });
    expect(app(5432).seen.length).toBe(before);
  });

  test('the end of one side is the end of the other', async () => {
    const { stream } = await client.tunnel('server:5432');
    await read(stream, banner);
    const before = closed;
    const ended = once(stream, 'close');
    stream.end();
    await until('the application to see the end', () => closed === before + 1);
    await ended;
  });

  test('a rule with methods or paths allows no TCP', async () => {
    const rules = (to: Parameters<typeof allow>[1]) =>
      mesh.apply(
        'extra.yaml',
        policy('extra', { authorization: [allow(['client'], to)] }, { app: 'server' }),
      );
    const statusOf = async () => (await client.tunnel('server:5432')).status;
    await rules([{ methods: ['GET', 'POST'] }]);
    expect(await statusOf()).toBe(403);
    await rules([{ paths: ['/**'] }]);
    expect(await statusOf()).toBe(403);
    await rules([{ ports: [5432] }]);
    expect(await statusOf()).toBe(200);
    await mesh.remove('extra.yaml');
  });

  test('a request to a TCP port goes nowhere, be it from an application or from a peer', async () => {
    const before = app(5432).seen.length;
    expect((await client.call('server:5432', { path: '/x' })).status).toBe(404);
    const peer = await mesh.meshClient('server', 5432, await mesh.identity('client'));
    for (const method of ['GET', 'POST', 'OPTIONS'])
      expect((await peer.request('server:5432', { method })).status).toBe(403);
    expect(app(5432).seen.length).toBe(before);
  });

  test('CONNECT to an HTTP port goes nowhere, be it from an application or from a peer', async () => {
    const before = app(8080).seen.length;
    const { status, stream } = await client.tunnel('server:80');
    expect([403, 404]).toContain(status);
    stream.destroy();
    const peer = await mesh.meshClient('server', 8080, await mesh.identity('client'));
    const tunnel = peer.session.request({ ':method': 'CONNECT', ':authority': 'server:80' });
    tunnel.write('GET /smuggled HTTP/1.1\r\nhost: server\r\n\r\n');
    expect((await response(tunnel))[':status']).toBe(403);
    expect(app(8080).seen.length).toBe(before);
  });

  test('a peer cannot choose another port than the one its connection is for', async () => {
    const before = app(8080).seen.length;
    const peer = await mesh.meshClient('server', 5432, await mesh.identity('client'));
    const tunnel = peer.session.request({ ':method': 'CONNECT', ':authority': 'server:8080' });
    expect((await response(tunnel))[':status']).toBe(200);
    tunnel.setEncoding('utf8');
    expect(String((await once(tunnel, 'data'))[0])).toBe(banner);
    expect(app(8080).seen.length).toBe(before);
  });
});

describe('gRPC', () => {
  function call(who: MeshWorkload, path: string, message: string): Promise<string | ServiceError> {
    // As an application calls it: by name, in cleartext, through its proxy.
    const grpc = new Client(`${who.address}:15001`, credentials.createInsecure(), {
      'grpc.default_authority': 'server:50051',
      'grpc.enable_http_proxy': 0,
    });
    onEnd(() => grpc.close());
    const encode = (value: string): Buffer => Buffer.from(value);
    return new Promise((resolve) => {
      grpc.makeUnaryRequest(path, encode, String, message, (error, answer) => resolve(error ?? answer ?? ''));
    });
  }

  test('a unary call and its trailers pass', async () => {
    expect(await call(client, '/shop.Echo/Say', 'hello')).toBe('hello');
    expect(await call(client, '/shop.Echo/Fail', 'why')).toMatchObject({
      code: grpcStatus.FAILED_PRECONDITION,
      details: 'because of why',
    });
  });

  test('a denied one says so in gRPC', async () => {
    const error = await call(other, '/shop.Echo/Say', 'hello');
    expect(error).toMatchObject({ code: grpcStatus.PERMISSION_DENIED });
    expect((error as ServiceError).metadata.get('x-trellis-denied')).toEqual([denied]);
  });
});

describe('WebSocket', () => {
  const open = (who: MeshWorkload, path = '/chat') =>
    httpTunnel(who.outbound, { host: 'server', upgrade: 'websocket', path });

  test('an upgrade passes, and bytes in both directions', async () => {
    const { status, stream } = await open(client);
    expect(status).toBe(101);
    stream.write('ping');
    expect(await read(stream, 'ping')).toBe('ping');
  });

  test('a denied one does not', async () => {
    const before = app(8080).seen.length;
    const { status, headers } = await open(other);
    expect([status, headers['x-trellis-denied']]).toEqual([403, denied]);
    expect(app(8080).seen.length).toBe(before);
  });

  test('rules for methods and paths see a GET', async () => {
    await mesh.apply(
      'extra.yaml',
      policy(
        'extra',
        { authorization: [allow(['client'], [{ methods: ['GET'], paths: ['/chat'] }])] },
        { app: 'server' },
      ),
    );
    expect((await open(client)).status).toBe(101);
    expect((await open(client, '/other')).status).toBe(403);
    await mesh.remove('extra.yaml');
  });

  test('no other protocol can be upgraded to', async () => {
    const before = app(8080).seen.length;
    const { status } = await httpTunnel(client.outbound, { host: 'server', upgrade: 'something-else' });
    expect(status).toBe(403);
    expect(app(8080).seen.length).toBe(before);
  });
});
