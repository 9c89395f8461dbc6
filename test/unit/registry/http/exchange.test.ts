// One request against servers that do everything wrong that a server can.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Answer } from '../../../../src/registry/http/answer.ts';
import { createConnections } from '../../../../src/registry/http/connections.ts';
import { destinationRules, type Resolve, type Zone } from '../../../../src/registry/http/destination.ts';
import { createExchange, type ExchangeTimes, type Outgoing } from '../../../../src/registry/http/exchange.ts';
import { noProxy, type ProxyFor } from '../../../../src/registry/http/proxy.ts';
import { onEnd } from '../../../support/cleanup.ts';
import { freePort } from '../../../support/ports.ts';
import { makeTls, type TlsFiles } from '../../../support/registry/tls.ts';
import { until } from '../../../support/until.ts';
import { codeOf, resolving } from '../support/client.ts';
import { answer, type Scripted, serve } from '../support/server.ts';

const patient: ExchangeTimes = {
  headersMs: 10_000,
  idleMs: 10_000,
  requestMs: 20_000,
  minBytesPerSecond: 1_000_000,
};
const maxBytes = 1_000;

interface Setting {
  readonly times?: Partial<ExchangeTimes>;
  readonly ca?: string;
  readonly proxyFor?: ProxyFor;
  readonly names?: Record<string, string>;
  readonly resolve?: Resolve;
  readonly connectMs?: number;
  readonly plainHttp?: readonly string[];
}

function exchangeWith({ times, ca, proxyFor = noProxy, plainHttp = [], ...setting }: Setting = {}) {
  const connections = createConnections({
    ca,
    proxyFor,
    rules: destinationRules({ plainHttp, resolve: setting.resolve ?? resolving(setting.names ?? {}) }),
    connectMs: setting.connectMs ?? 10_000,
  });
  onEnd(() => connections.close());
  let sent = 0;
  const exchange = createExchange(connections, { ...patient, ...times }, () => {
    sent += 1;
  });
  const get = (url: string, more: Partial<Outgoing> = {}, signal?: AbortSignal): Promise<Answer> =>
    exchange({ method: 'GET', url: new URL(url), headers: {}, zone: 'loopback', maxBytes, ...more }, signal);
  return { get, sent: () => sent };
}

test('an answer', async () => {
  const server = await serve((_, response) => answer(response, 200, { 'x-a': 'b' }, 'body'));
  const { get, sent } = exchangeWith();
  const found = await get(`${server.url}/path?query`, { headers: { accept: 'text/plain' } });
  expect([found.status, found.header('x-a'), String(await found.bytes(maxBytes))]).toEqual([
    200,
    'b',
    'body',
  ]);
  expect([sent(), server.lines()]).toEqual([1, ['GET /path?query']]);
  expect(server.seen[0]?.headers).toMatchObject({ accept: 'text/plain', 'accept-encoding': 'identity' });
});

test('a body is sent whole, or in pieces of a known length', async () => {
  const server = await serve((_, response) => answer(response, 201));
  const { get } = exchangeWith();
  const pieces = async function* () {
    yield Buffer.from('in ');
    yield Buffer.from('pieces');
  };
  await (await get(server.url, { method: 'PUT', body: Buffer.from('whole') })).discard();
  await (await get(server.url, { method: 'PUT', body: { pieces: pieces(), bytes: 9 } })).discard();
  expect(server.seen.map(({ body, headers }) => [String(body), headers['content-length']])).toEqual([
    ['whole', '5'],
    ['in pieces', '9'],
  ]);
});

test('what goes wrong with a body that is read from elsewhere is the error of the request', async () => {
  const server = await serve((_, response) => answer(response, 201));
  const pieces = async function* () {
    yield Buffer.from('some');
    throw new Error('the source is broken');
  };
  const { get } = exchangeWith();
  await expect(get(server.url, { method: 'PUT', body: { pieces: pieces(), bytes: 9 } })).rejects.toThrow(
    'the source is broken',
  );
});

describe('bytes', () => {
  const big = Buffer.alloc(maxBytes + 1);

  test('a body that says that it is too large is not waited for', async () => {
    const server = await serve((_, response) => {
      response.writeHead(200, { 'content-length': String(big.byteLength) });
      response.write('.');
      // There is never more.
    });
    const found = await exchangeWith().get(server.url);
    expect(await codeOf(found.bytes(maxBytes))).toBe('ERR_REGISTRY_TOO_LARGE');
  });

  test('a body that is too large without saying so is not read to its end', async () => {
    const server = await serve((_, response) => {
      response.writeHead(200, { 'transfer-encoding': 'chunked' });
      response.write(big);
      // It never ends.
    });
    const found = await exchangeWith().get(server.url);
    expect(await codeOf(found.bytes(maxBytes))).toBe('ERR_REGISTRY_TOO_LARGE');
  });

  test('the largest that is allowed', async () => {
    const server = await serve((_, response) => answer(response, 200, {}, big.subarray(1)));
    expect(await (await exchangeWith().get(server.url)).bytes(maxBytes)).toHaveLength(maxBytes);
  });

  test.each(['gzip', 'x-gzip', 'deflate', 'br', 'zstd', 'identity, gzip'])(
    'a body with content-encoding %s is refused, not decompressed',
    async (encoding) => {
      const bomb = gzipSync(Buffer.alloc(100_000));
      const server = await serve((_, response) =>
        answer(response, 200, { 'content-encoding': encoding }, bomb),
      );
      const found = await exchangeWith().get(server.url);
      expect(await codeOf(found.bytes(maxBytes))).toBe('ERR_REGISTRY_PROTOCOL');
    },
  );

  test('content-encoding identity is none', async () => {
    const headers = { 'content-encoding': 'identity' };
    const server = await serve((_, response) => answer(response, 200, headers, 'body'));
    expect(String(await (await exchangeWith().get(server.url)).bytes(maxBytes))).toBe('body');
  });

  test('a body that is shorter than it says', async () => {
    const server = await serve((_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('short');
      setImmediate(() => response.destroy());
    });
    const found = await exchangeWith().get(server.url);
    expect(await codeOf(found.bytes(maxBytes))).toBe('ERR_REGISTRY_UNREACHABLE');
  });

  test('headers without end', async () => {
    const server = await serve((_, response) => {
      response.writeHead(
        200,
        Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`x-${n}`, 'x'.repeat(1_000)])),
      );
      response.end();
    });
    expect(await codeOf(exchangeWith().get(server.url))).toBe('ERR_REGISTRY_PROTOCOL');
  });

  test('a header twice, of which readers take one or the other', async () => {
    const server = await serve((_, response) => answer(response, 200, { location: ['/a', '/b'] }));
    const found = await exchangeWith().get(server.url);
    expect(() => found.header('location')).toThrow(
      expect.objectContaining({ code: 'ERR_REGISTRY_PROTOCOL' }),
    );
    expect(found.listHeader('location')).toBe('/a, /b');
    await found.discard();
  });
});

describe('time', () => {
  test('a server that never answers', async () => {
    const server = await serve(() => undefined);
    const { get } = exchangeWith({ times: { headersMs: 50 } });
    expect(await codeOf(get(server.url))).toBe('ERR_REGISTRY_TIMEOUT');
  });

  test('a body that stops', async () => {
    const server = await serve((_, response) => {
      response.writeHead(200);
      response.write('some');
    });
    // The request as a whole has time enough: only the silence can end it.
    const found = await exchangeWith({ times: { idleMs: 50, requestMs: 600_000 } }).get(server.url);
    expect(await codeOf(found.bytes(maxBytes))).toBe('ERR_REGISTRY_TIMEOUT');
  });

  test('a body that nobody wants is not waited for', async () => {
    const server = await serve((_, response) => {
      response.writeHead(401);
      response.write('.');
    });
    await (await exchangeWith().get(server.url)).discard();
    // Its connection is not used for the next one, which would wait behind it.
    expect((await exchangeWith().get(server.url)).status).toBe(401);
  });

  test('a body that trickles for ever, never idle', async () => {
    const server = await serve(async (_, response) => {
      response.writeHead(200);
      while (!response.destroyed) {
        response.write('.');
        await sleep(5);
      }
    });
    const found = await exchangeWith({ times: { requestMs: 100 } }).get(server.url);
    expect(await codeOf(found.bytes(1e9))).toBe('ERR_REGISTRY_TIMEOUT');
  });

  test('a large body may take longer than a small one', async () => {
    const server = await serve(async (_, response) => {
      response.writeHead(200);
      response.write('some');
      await sleep(300);
      response.end(' more');
    });
    const times = { requestMs: 50, minBytesPerSecond: 100 };
    expect(await codeOf((await exchangeWith({ times }).get(server.url, { maxBytes: 9 })).bytes(9))).toBe(
      'ERR_REGISTRY_TIMEOUT',
    );
    const large = await exchangeWith({ times }).get(server.url, { maxBytes: 1_000 });
    expect(String(await large.bytes(1_000))).toBe('some more');
  });

  test.each(['before', 'while it waits', 'while it reads'])('the caller gives up %s', async (when) => {
    const controller = new AbortController();
    const enough = new Error('enough');
    const server = await serve((_, response) => {
      if (when === 'while it reads') response.write('some');
      else setImmediate(() => controller.abort(enough));
    });
    const { get, sent } = exchangeWith();
    if (when === 'before') controller.abort(enough);
    const whole = async (): Promise<unknown> => {
      const found = await get(server.url, {}, controller.signal);
      setImmediate(() => controller.abort(enough));
      return await found.bytes(maxBytes);
    };
    await expect(whole()).rejects.toBe(enough);
    expect(sent()).toBe(when === 'before' ? 0 : 1);
  });

  test('the caller gives up while the host is looked for, which ends with the last one who waits', async () => {
    const [first, second] = [new AbortController(), new AbortController()];
    const lookups: AbortSignal[] = [];
    const { get } = exchangeWith({
      plainHttp: ['registry.example'],
      // Nothing else ends it.
      connectMs: 600_000,
      resolve: (_host, _options, signal) =>
        new Promise((_, reject) => {
          lookups.push(signal ?? AbortSignal.abort());
          signal?.addEventListener('abort', () => reject(signal.reason));
        }),
    });
    const [one, other] = [first, second].map(async ({ signal }) => {
      return await codeOf(get('http://registry.example/', { zone: 'public' }, signal));
    });
    await until('two lookups', () => lookups.length === 2);
    const [enough, late] = [new Error('enough'), new Error('late')];
    first.abort(enough);
    expect(await one).toBe(enough);
    expect(lookups.some(({ aborted }) => aborted)).toBe(false);
    second.abort(late);
    expect(await other).toBe(late);
    expect(lookups.every(({ aborted }) => aborted)).toBe(true);
  });
});

describe('where to', () => {
  test('nobody listens', async () => {
    const port = await freePort();
    expect(await codeOf(exchangeWith().get(`http://127.0.0.1:${port}/`))).toBe('ERR_REGISTRY_UNREACHABLE');
  });

  test('a name that leads to this machine is not connected to, and no request is sent', async () => {
    const server = await serve((_, response) => answer(response, 200));
    const host = `evil.example:${server.port}`;
    const { get } = exchangeWith({ names: { 'evil.example': server.address }, plainHttp: [host] });
    expect(await codeOf(get(`http://${host}/`, { zone: 'public' }))).toBe('ERR_REGISTRY_ADDRESS');
    expect(server.seen).toEqual([]);
    // In the zone of loopback registries it is, and that connection serves no other zone.
    await (await get(`http://${host}/`)).discard();
    expect(await codeOf(get(`http://${host}/`, { zone: 'public' }))).toBe('ERR_REGISTRY_ADDRESS');
    expect(server.seen).toHaveLength(1);
  });

  test.each(['http://127.0.0.1:1/', 'https://169.254.169.254/', 'https://[::1]/'])(
    'not %s for a registry elsewhere',
    async (url) => {
      const { get, sent } = exchangeWith();
      expect(await codeOf(get(url, { zone: 'public' }))).toMatch(/^ERR_REGISTRY_(ADDRESS|PLAIN_HTTP)$/);
      expect(sent()).toBe(0);
    },
  );
});

describe('TLS', () => {
  let tls: TlsFiles;
  let server: Scripted;
  beforeAll(async () => {
    tls = await makeTls();
    server = await serve((_, response) => answer(response, 200, {}, 'body'), tls);
  });

  test('by a private CA', async () => {
    expect(String(await (await exchangeWith({ ca: tls.ca }).get(server.url)).bytes(maxBytes))).toBe('body');
  });

  test.each([
    ['no', undefined],
    ['another', true],
  ])('with %s CA it is refused', async (_, other) => {
    const ca = other && (await makeTls()).ca;
    expect(await codeOf(exchangeWith({ ...(ca && { ca }) }).get(server.url))).toBe(
      'ERR_REGISTRY_CERTIFICATE',
    );
  });

  test('for another name it is refused', async () => {
    const names = { 'registry.example': server.address };
    const url = `https://registry.example:${server.port}/`;
    expect(await codeOf(exchangeWith({ ca: tls.ca, names }).get(url))).toBe('ERR_REGISTRY_CERTIFICATE');
  });
});

describe('through a proxy', () => {
  test('a request without TLS, which the proxy sends on', async () => {
    const proxy = await serve((_, response) => answer(response, 200, {}, 'by proxy'));
    const zone: Zone = 'public';
    const { get } = exchangeWith({
      proxyFor: () => new URL(proxy.url),
      plainHttp: ['registry.example'],
    });
    const found = await get('http://registry.example/path', { zone });
    expect(String(await found.bytes(maxBytes))).toBe('by proxy');
    expect(proxy.lines()).toEqual(['GET http://registry.example/path']);
  });

  /** Connects to this port of this machine whatever it is asked for, or to nothing. */
  async function tunnel(port: number | undefined) {
    const asked: string[] = [];
    const proxy = createServer();
    proxy.on('connect', (request, socket: Socket) => {
      asked.push(request.url ?? '');
      if (port === undefined) {
        socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
        return;
      }
      const target = connect(port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        target.pipe(socket).pipe(target);
      });
      for (const each of [target, socket]) each.on('error', () => each.destroy());
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    onEnd(() => proxy.close());
    const url = new URL(`http://user:hunter2@127.0.0.1:${(proxy.address() as AddressInfo).port}`);
    return { asked, proxyFor: () => url };
  }

  test('with TLS, whose certificate is checked here', async () => {
    const tls = await makeTls('registry.example');
    const server = await serve((_, response) => answer(response, 200, {}, 'body'), tls);
    const { asked, proxyFor } = await tunnel(server.port);
    const { get } = exchangeWith({ proxyFor, ca: tls.ca });
    const found = await get('https://registry.example/', { zone: 'public' });
    expect(String(await found.bytes(maxBytes))).toBe('body');
    expect(asked).toEqual(['registry.example:443']);
    // It may lead elsewhere, but not be who is asked for.
    expect(await codeOf(get('https://other.example/', { zone: 'public' }))).toBe('ERR_REGISTRY_CERTIFICATE');
    const { get: distrusting } = exchangeWith({ proxyFor });
    expect(await codeOf(distrusting('https://registry.example/', { zone: 'public' }))).toBe(
      'ERR_REGISTRY_CERTIFICATE',
    );
  });

  test('that refuses, without a word about its password', async () => {
    const { proxyFor } = await tunnel(undefined);
    const { get } = exchangeWith({ proxyFor });
    await expect(get('https://registry.example/', { zone: 'public' })).rejects.toMatchObject({
      code: 'ERR_REGISTRY_UNREACHABLE',
      message: expect.not.stringContaining('hunter2'),
    });
  });

  test('addresses that must not be connected to are not asked of it either', async () => {
    const proxy = await serve((_, response) => answer(response, 200));
    const { get } = exchangeWith({ proxyFor: () => new URL(proxy.url) });
    expect(await codeOf(get('https://169.254.169.254/', { zone: 'public' }))).toBe('ERR_REGISTRY_ADDRESS');
    expect(proxy.seen).toEqual([]);
  });
});
