import { once } from 'node:events';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { Registry } from 'prom-client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type HealthServer, startHealthServer } from '../../../src/telemetry/health.ts';
import { createReadiness } from '../../../src/telemetry/readiness.ts';

async function start(overrides: Partial<Parameters<typeof startHealthServer>[0]> = {}) {
  const readiness = createReadiness(['state', 'ca']);
  const server = await startHealthServer({ port: 0, registry: new Registry(), readiness, ...overrides });
  onTestFinished(() => server.close());
  return { server, readiness };
}

const get = (server: HealthServer, path: string, init?: RequestInit): Promise<Response> =>
  fetch(`http://${server.address}${path}`, init);

/** Sends bytes as they are and returns everything that comes back until the server closes. */
async function raw(server: HealthServer, request: string): Promise<string> {
  const socket = connect(server.port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    answer += chunk;
  });
  socket.on('error', () => {});
  socket.write(request);
  await once(socket, 'close');
  return answer;
}

describe('what it says', () => {
  test('/healthz is well as long as it answers', async () => {
    const { server } = await start();
    const response = await get(server, '/healthz');
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ healthy: true });
  });

  test('/readyz names what is not ready, and why', async () => {
    const { server, readiness } = await start();
    readiness.ready('state');
    readiness.notReady('ca', 'the root key cannot be read');
    const response = await get(server, '/readyz');
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({
      ready: false,
      conditions: [
        { name: 'state', ready: true },
        { name: 'ca', ready: false, reason: 'the root key cannot be read' },
      ],
    });
  });

  test('/readyz is ready when all conditions hold, and not any more when one stops', async () => {
    const { server, readiness } = await start();
    readiness.ready('state');
    readiness.ready('ca');
    expect((await get(server, '/readyz')).status).toBe(200);
    readiness.notReady('ca', 'expired');
    expect((await get(server, '/readyz')).status).toBe(503);
  });

  test('no conditions at all do not count as ready', async () => {
    const { server } = await start({ readiness: { conditions: () => [] } });
    expect((await get(server, '/readyz')).status).toBe(503);
  });

  test('/metrics is the registry, in its content type', async () => {
    const registry = { contentType: 'text/plain; version=0.0.4', metrics: async () => 'x 1\n' };
    const { server } = await start({ registry: registry as unknown as Registry });
    const response = await get(server, '/metrics?ignored=1');
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4');
    expect(await response.text()).toBe('x 1\n');
  });

  test('a defect shows as 500 and keeps its details to itself', async () => {
    const broken = { contentType: 'text/plain', metrics: () => Promise.reject(new Error('hush')) };
    const { server } = await start({ registry: broken as unknown as Registry });
    const response = await get(server, '/metrics');
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('hush');
  });
});

describe('what it refuses', () => {
  test('other paths', async () => {
    const { server } = await start();
    expect((await get(server, '/metrics/../etc/passwd')).status).toBe(404);
  });

  test('other methods', async () => {
    const { server } = await start();
    const response = await get(server, '/healthz', { method: 'DELETE' });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('GET, HEAD');
  });

  test('HEAD is GET without the body', async () => {
    const { server } = await start();
    const response = await get(server, '/healthz', { method: 'HEAD' });
    expect(response.status).toBe(200);
    expect(await response.text()).toBe('');
  });

  test.each([
    ['a length', 'content-length: 5\r\n\r\nhello'],
    ['chunks', 'transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'],
  ])('a body with %s, without taking it for another request', async (_, rest) => {
    const { server } = await start();
    const answer = await raw(server, `GET /healthz HTTP/1.1\r\nhost: x\r\n${rest}`);
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 413']);
  });

  test('headers beyond the limit', async () => {
    const { server } = await start();
    const answer = await raw(server, `GET /healthz HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(9000)}\r\n\r\n`);
    expect(answer).toContain('HTTP/1.1 431');
  });

  test('more connections than the limit', async () => {
    const { server } = await start();
    const sockets = Array.from({ length: 65 }, () => connect(server.port, '127.0.0.1').on('error', () => {}));
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
    });
    // One of them is turned away, and the ones that were served can go on.
    await Promise.race(sockets.map((socket) => once(socket, 'close')));
    expect(sockets.filter((socket) => socket.destroyed)).toHaveLength(1);
  });
});

describe('where it listens', () => {
  test('on loopback unless told otherwise', async () => {
    expect((await start()).server.address).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  const hasIpv6 = networkInterfaces()['lo']?.some(({ family }) => family === 'IPv6') ?? false;
  test.runIf(hasIpv6)('on IPv6 too, written as a URL wants it', async () => {
    expect((await start({ host: '::1' })).server.address).toMatch(/^\[::1\]:\d+$/);
  });

  test('a port in use: the error says which and what to do', async () => {
    const { server } = await start();
    await expect(start({ port: server.port })).rejects.toMatchObject({
      code: 'ERR_ADDRESS_IN_USE',
      message: expect.stringMatching(
        new RegExp(`127\\.0\\.0\\.1:${server.port} is in use.*choose another port`),
      ),
    });
  });

  test('an address that is not here', async () => {
    await expect(start({ host: '192.0.2.1' })).rejects.toMatchObject({ code: 'ERR_ADDRESS_UNAVAILABLE' });
  });

  test('closing ends open connections', async () => {
    const { server } = await start();
    const socket = connect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
    await once(socket, 'data');
    await Promise.all([once(socket, 'close'), server.close()]);
    await server.close();
    await expect(get(server, '/healthz')).rejects.toThrow();
  });
});
