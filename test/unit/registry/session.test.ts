// Redirects, authorization and second attempts, of a client that reads from scripted registries.

import { describe, expect, test } from 'vitest';
import type { Credentials } from '../../../src/registry/auth/credentials.ts';
import { digestOf } from '../../../src/registry/digest.ts';
import type { RegistryOptions } from '../../../src/registry/options.ts';
import { clientFor, codeOf, repositoryOn, resolving } from './support/client.ts';
import { fakeRegistry } from './support/fake-registry.ts';
import { answer, type Script, type Scripted, serve } from './support/server.ts';

const content = Buffer.from('content');
const blob = { mediaType: 'application/octet-stream', digest: digestOf(content), size: content.byteLength };
const path = `/v2/a/b/blobs/${blob.digest}`;

async function pull(server: Scripted, options?: RegistryOptions, others: readonly Scripted[] = []) {
  const client = clientFor([server, ...others], options);
  const result = await client.blob(repositoryOn(server), blob, 100).then(String, (error: unknown) => error);
  return { client, result };
}

const storage: Script = (_, response) => answer(response, 200, {}, content);
const redirect =
  (location: string, status = 307): Script =>
  (_, response) =>
    answer(response, status, { location });

const password: Credentials = { kind: 'password', username: 'user', password: 'hunter2' };
const credentials = async (): Promise<Credentials> => password;
const basic = `Basic ${Buffer.from('user:hunter2').toString('base64')}`;
const asking: Record<string, string> = { 'www-authenticate': 'Basic realm="x"' };

describe('redirects', () => {
  test('to storage are followed', async () => {
    const store = await serve(storage);
    const registry = await serve(redirect(`${store.url}/x?signature=1`));
    expect((await pull(registry, {}, [store])).result).toBe('content');
    expect(store.lines()).toEqual(['GET /x?signature=1']);
  });

  test('take no credentials to another origin, and answer no challenge of it', async () => {
    const store = await serve((_, response) => answer(response, 401, asking));
    const registry = await serve((request, response) =>
      request.headers.authorization === undefined
        ? answer(response, 401, asking)
        : answer(response, 307, { location: `${store.url}/x` }),
    );
    expect((await pull(registry, { credentials }, [store])).result).toMatchObject({
      code: 'ERR_REGISTRY_UNAUTHORIZED',
    });
    expect(registry.seen.map(({ headers }) => headers.authorization)).toEqual([undefined, basic]);
    expect(store.seen.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  test('take no credentials to another port of the same host', async () => {
    const store = await serve(storage);
    const registry = await serve((request, response) =>
      request.headers.authorization === undefined
        ? answer(response, 401, asking)
        : answer(response, 307, { location: `http://registry.example:${store.port}/x` }),
    );
    const client = clientFor([], {
      credentials,
      plainHttp: ['registry.example'],
      allowedAddresses: [registry.address, store.address],
      // One name, as the ports of one host would have.
      resolve: async () => {
        const address = registry.seen.length === 0 ? registry.address : store.address;
        return [{ address, family: 4 }];
      },
    });
    const repository = { registry: `registry.example:${registry.port}`, path: 'a/b' };
    expect(String(await client.blob(repository, blob, 100))).toBe('content');
    expect(store.seen.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  test('take no credentials back to the registry from elsewhere', async () => {
    let home = '';
    const store = await serve((_, response) => answer(response, 307, { location: `${home}/deleted` }));
    const registry = await serve((request, response) => {
      if (request.headers.authorization === undefined) answer(response, 401, asking);
      else answer(response, 307, { location: `${store.url}/x` });
    });
    home = registry.url;
    expect((await pull(registry, { credentials }, [store])).result).toMatchObject({
      code: 'ERR_REGISTRY_UNAUTHORIZED',
    });
    expect(registry.seen.at(-1)).toMatchObject({ path: '/deleted' });
    expect(registry.seen.at(-1)?.headers.authorization).toBeUndefined();
  });

  test('within the registry keep the credentials', async () => {
    const registry = await serve((request, response) => {
      if (request.headers.authorization !== basic) answer(response, 401, asking);
      else if (request.path === path) answer(response, 307, { location: '/v2/moved' });
      else answer(response, 200, {}, content);
    });
    expect((await pull(registry, { credentials })).result).toBe('content');
  });

  test.each([
    ['the metadata service', 'http://169.254.169.254/latest/meta-data', 'ERR_REGISTRY_PLAIN_HTTP'],
    ['the metadata service with TLS', 'https://169.254.169.254/', 'ERR_REGISTRY_ADDRESS'],
    ['the metadata service in decimal', 'https://2852039166/', 'ERR_REGISTRY_ADDRESS'],
    ['the metadata service in IPv6', 'https://[::ffff:a9fe:a9fe]/', 'ERR_REGISTRY_ADDRESS'],
    ['a file', 'file:///etc/passwd', 'ERR_REGISTRY_REDIRECT'],
    ['a name and password', 'http://user:password@storage.example/', 'ERR_REGISTRY_REDIRECT'],
    ['another host without TLS', 'http://storage.example/', 'ERR_REGISTRY_PLAIN_HTTP'],
    ['nowhere', '', 'ERR_REGISTRY_REDIRECT'],
  ])('to %s are not followed', async (_, location, code) => {
    const registry = await serve(redirect(location));
    const { client, result } = await pull(registry);
    expect(result).toMatchObject({ code });
    expect([client.requests(), registry.seen.length]).toEqual([1, 1]);
  });

  test('to this machine are not followed, of a registry that is elsewhere', async () => {
    const local = await serve(storage);
    const registry = await serve(redirect(`http://evil.example:${local.port}/x`));
    const client = clientFor([], {
      plainHttp: ['registry.example', 'evil.example'],
      allowedAddresses: [registry.address],
      resolve: resolving({ 'registry.example': registry.address, 'evil.example': local.address }),
    });
    const repository = { registry: `registry.example:${registry.port}`, path: 'a/b' };
    expect(await codeOf(client.blob(repository, blob, 100))).toBe('ERR_REGISTRY_ADDRESS');
    expect([registry.seen.length, local.seen.length]).toEqual([1, 0]);
  });

  test('in a circle end', async () => {
    const registry = await serve((request, response) =>
      answer(response, 307, { location: request.path === path ? '/other' : path }),
    );
    expect((await pull(registry)).result).toMatchObject({
      code: 'ERR_REGISTRY_REDIRECT',
      message: expect.stringContaining('circle'),
    });
    expect(registry.seen).toHaveLength(2);
  });

  test('have an end', async () => {
    let n = 0;
    const registry = await serve((_, response) => answer(response, 302, { location: `/${++n}` }));
    expect((await pull(registry, { limits: { maxRedirects: 3 } })).result).toMatchObject({
      code: 'ERR_REGISTRY_REDIRECT',
    });
    expect(registry.seen).toHaveLength(4);
  });

  test('of what is written are not followed', async () => {
    const elsewhere = await serve((_, response) => answer(response, 201));
    const registry = await serve((request, response) =>
      request.method === 'HEAD' ? answer(response, 404) : answer(response, 307, { location: elsewhere.url }),
    );
    const client = clientFor([registry, elsewhere]);
    expect(await codeOf(client.pushBlob(repositoryOn(registry), content))).toBe('ERR_REGISTRY_REDIRECT');
    expect(elsewhere.seen).toEqual([]);
  });
});

describe('second attempts', () => {
  /** Fails so often with these, and then answers. */
  async function failing(times: number, fail: Script): Promise<Scripted> {
    let calls = 0;
    return await serve((request, response) => {
      calls += 1;
      if (calls <= times) fail(request, response);
      else storage(request, response);
    });
  }

  test.each([429, 500, 502, 503, 504])('after %d', async (status) => {
    const registry = await failing(2, (_, response) => answer(response, status));
    const { client, result } = await pull(registry);
    expect(result).toBe('content');
    expect([client.pauses, registry.seen.length]).toEqual([[250, 500], 3]);
  });

  test('after 429, when the registry says', async () => {
    const registry = await failing(1, (_, response) => answer(response, 429, { 'retry-after': '7' }));
    expect((await pull(registry)).client.pauses).toEqual([7_000]);
  });

  test('not when the registry wants more patience than there is', async () => {
    const registry = await failing(1, (_, response) => answer(response, 429, { 'retry-after': '86400' }));
    const { client, result } = await pull(registry);
    expect(result).toMatchObject({ code: 'ERR_REGISTRY_RATE_LIMITED', status: 429 });
    expect([client.pauses, registry.seen.length]).toEqual([[], 1]);
  });

  test('after a connection that was cut, before the answer or in its body', async () => {
    let calls = 0;
    const registry = await serve((request, response) => {
      calls += 1;
      if (calls === 1) response.destroy();
      else if (calls === 2) {
        response.writeHead(200, { 'content-length': '7' });
        response.write('con');
        setImmediate(() => response.destroy());
      } else storage(request, response);
    });
    expect((await pull(registry)).result).toBe('content');
    expect(registry.seen).toHaveLength(3);
  });

  test('have an end', async () => {
    const registry = await failing(100, (_, response) =>
      answer(response, 503, {}, '{"errors":[{"code":"UNAVAILABLE","message":"come\\nback"}]}'),
    );
    const { client, result } = await pull(registry, { limits: { maxAttempts: 3 } });
    expect(result).toMatchObject({
      code: 'ERR_REGISTRY_UNREACHABLE',
      status: 503,
      message: expect.stringContaining(String.raw`"UNAVAILABLE: come\nback"`),
    });
    expect([client.requests(), registry.seen.length]).toEqual([3, 3]);
  });

  test.each([
    [400, 'ERR_REGISTRY_PROTOCOL'],
    [403, 'ERR_REGISTRY_DENIED'],
    [404, 'ERR_REGISTRY_NOT_FOUND'],
    [501, 'ERR_REGISTRY_UNREACHABLE'],
  ])('not after %d', async (status, code) => {
    const registry = await failing(100, (_, response) => answer(response, status));
    expect((await pull(registry)).result).toMatchObject({ code, status });
    expect(registry.seen).toHaveLength(1);
  });

  test('not after a time-out: a registry that hangs costs one', async () => {
    const registry = await serve(() => undefined);
    expect((await pull(registry, { limits: { headersMs: 50 } })).result).toMatchObject({
      code: 'ERR_REGISTRY_TIMEOUT',
    });
    expect(registry.seen).toHaveLength(1);
  });

  test('not after the caller has given up', async () => {
    const controller = new AbortController();
    const registry = await serve((_, response) => {
      controller.abort(new Error('enough'));
      answer(response, 503);
    });
    const client = clientFor([registry]);
    await expect(client.blob(repositoryOn(registry), blob, 100, controller.signal)).rejects.toThrow('enough');
    expect(registry.seen).toHaveLength(1);
  });
});

test('no more requests at the same time than allowed', async () => {
  let [now, most] = [0, 0];
  const registry = await serve(async (request, response) => {
    now += 1;
    most = Math.max(most, now);
    await new Promise((resolve) => setTimeout(resolve, 5));
    now -= 1;
    storage(request, response);
  });
  const client = clientFor([registry], { limits: { maxConcurrency: 3 } });
  await Promise.all(Array.from({ length: 20 }, () => client.blob(repositoryOn(registry), blob, 100)));
  expect(most).toBe(3);
});

describe('a registry on this machine', () => {
  test('is spoken to without TLS when it has none, without being named', async () => {
    const registry = await fakeRegistry();
    registry.blobs.set(blob.digest, content);
    const client = clientFor([]);
    expect(String(await client.blob(repositoryOn(registry), blob, 100))).toBe('content');
    expect(client.requests()).toBe(1);
  });

  test('is not spoken to where references come from others', async () => {
    const registry = await fakeRegistry();
    const client = clientFor([registry], { loopbackRegistries: false });
    expect(await codeOf(client.blob(repositoryOn(registry), blob, 100))).toBe('ERR_REGISTRY_ADDRESS');
    expect(registry.seen).toEqual([]);
  });
});

test.each(['169.254.169.254/a/b', '[fe80::1]/a/b', '0.0.0.0:5000/a/b'])(
  'a reference to %s is not connected to',
  async (place) => {
    const [registry = '', ...rest] = place.split('/');
    const client = clientFor([]);
    const reading = client.blob({ registry, path: rest.join('/') }, blob, 100);
    expect(await codeOf(reading)).toBe('ERR_REGISTRY_ADDRESS');
    expect(client.requests()).toBe(0);
  },
);
