// Tokens, of a client that reads from a scripted registry with a scripted token endpoint.

import { describe, expect, test } from 'vitest';
import type { Credentials } from '../../../../src/registry/auth/credentials.ts';
import { checkRealm } from '../../../../src/registry/auth/token.ts';
import { digestOf } from '../../../../src/registry/digest.ts';
import type { RegistryOptions } from '../../../../src/registry/options.ts';
import { clientFor, codeOf, repositoryOn } from '../support/client.ts';
import { answer, type Script, type Scripted, type Seen, serve } from '../support/server.ts';

const content = Buffer.from('content');
const blob = { mediaType: 'application/octet-stream', digest: digestOf(content), size: content.byteLength };

interface Setting {
  /** What the registry answers with 401. */
  readonly challenge?: (tokens: Scripted) => string;
  readonly tokens?: Script;
  /** Whether the registry takes a request. */
  readonly takes?: (authorization: string | undefined, request: Seen) => boolean;
}

const giving =
  (token: unknown, lifetime?: unknown): Script =>
  (_, response) =>
    answer(response, 200, {}, JSON.stringify({ token, expires_in: lifetime }));

async function setting({
  challenge = ({ url }) => `Bearer realm="${url}/token",service="test"`,
  tokens: script = giving('secret-1', 300),
  takes = (authorization) => authorization?.startsWith('Bearer secret') === true,
}: Setting = {}) {
  const tokens = await serve(script);
  const registry = await serve((request, response) => {
    if (!takes(request.headers.authorization, request)) {
      answer(response, 401, { 'www-authenticate': challenge(tokens) });
    } else if (request.method === 'HEAD') answer(response, 404);
    else if (request.method === 'POST') answer(response, 202, { location: '/v2/upload' });
    else if (request.method === 'PUT') answer(response, 201);
    else answer(response, 200, {}, content);
  });
  const client = (options: RegistryOptions = {}) => clientFor([registry, tokens], options);
  const pull = (on: ReturnType<typeof client>, path = 'a/b'): Promise<string> =>
    on.blob(repositoryOn(registry, path), blob, 100).then(String);
  return { tokens, registry, client, pull };
}

const password = async (): Promise<Credentials> => ({
  kind: 'password',
  username: 'user',
  password: 'hunter2',
});
const basic = `Basic ${Buffer.from('user:hunter2').toString('base64')}`;

test('without credentials a token is asked for without them', async () => {
  const { tokens, registry, client, pull } = await setting();
  const one = client();
  expect(await pull(one)).toBe('content');
  expect(tokens.lines()).toEqual(['GET /token?service=test&scope=repository%3Aa%2Fb%3Apull']);
  expect(tokens.seen[0]?.headers.authorization).toBeUndefined();
  expect(registry.seen.map(({ headers }) => headers.authorization)).toEqual([undefined, 'Bearer secret-1']);
  expect(one.requests()).toBe(3);
});

test('a password is for the token endpoint, the token for the registry', async () => {
  const { tokens, registry, client, pull } = await setting();
  await pull(client({ credentials: password }));
  expect(tokens.seen.map(({ headers }) => headers.authorization)).toEqual([basic]);
  expect(registry.seen.map(({ headers }) => headers.authorization)).toEqual([undefined, 'Bearer secret-1']);
});

test('an identity token is sent in a form, not in the URL', async () => {
  const { tokens, client, pull } = await setting();
  const credentials = async (): Promise<Credentials> => ({ kind: 'identity-token', token: 'identity' });
  expect(await pull(client({ credentials }))).toBe('content');
  expect(tokens.lines()).toEqual(['POST /token']);
  expect(Object.fromEntries(new URLSearchParams(String(tokens.seen[0]?.body)))).toEqual({
    grant_type: 'refresh_token',
    client_id: 'trellis',
    service: 'test',
    scope: 'repository:a/b:pull',
    refresh_token: 'identity',
  });
});

test('a registry token is used as it is', async () => {
  const { tokens, client, pull } = await setting();
  const credentials = async (): Promise<Credentials> => ({ kind: 'registry-token', token: 'secret-own' });
  expect(await pull(client({ credentials }))).toBe('content');
  expect(tokens.seen).toEqual([]);
});

describe('a token is kept', () => {
  test('for its repository and for what may be done', async () => {
    const { tokens, registry, client, pull } = await setting();
    const one = client();
    await pull(one);
    await pull(one);
    await pull(one, 'c/d');
    await one.pushBlob(repositoryOn(registry), content);
    expect(tokens.seen.map(({ path }) => new URL(path, 'http://t').searchParams.get('scope'))).toEqual([
      'repository:a/b:pull',
      'repository:c/d:pull',
      'repository:a/b:pull,push',
    ]);
    expect(registry.seen.filter(({ headers }) => headers.authorization === undefined)).toHaveLength(1);
  });

  test.each([
    ['as long as it says', 300, 289_000, 291_000],
    ['a minute when it does not say', undefined, 49_000, 51_000],
    ['an hour at most', 1_000_000, 3_589_000, 3_591_000],
    ['not at all when that is nearly over', 5, -1, 0],
  ])('%s', async (_, lifetime, kept, gone) => {
    const { tokens, client, pull } = await setting({ tokens: giving('secret', lifetime) });
    const start = Date.parse('2030-01-01T00:00:00Z');
    let now = start;
    const one = client({ now: () => new Date(now) });
    await pull(one);
    now = start + kept;
    if (kept > 0) await pull(one);
    expect(tokens.seen).toHaveLength(1);
    now = start + gone;
    await pull(one);
    expect(tokens.seen).toHaveLength(2);
  });

  test('until the registry refuses it', async () => {
    let revoked = 'none';
    let given = 0;
    const { tokens, client, pull } = await setting({
      tokens: (request, response) => giving(`secret-${++given}`, 300)(request, response),
      takes: (authorization) => authorization?.startsWith('Bearer') === true && authorization !== revoked,
    });
    const one = client();
    await pull(one);
    revoked = 'Bearer secret-1';
    expect(await pull(one)).toBe('content');
    expect(tokens.seen).toHaveLength(2);
  });

  test('one for all requests that begin together', async () => {
    const { tokens, client, pull } = await setting();
    const one = client();
    await Promise.all(Array.from({ length: 8 }, () => pull(one)));
    expect(tokens.seen).toHaveLength(1);
  });

  test('also when the one who asked for it first has given up', async () => {
    const controller = new AbortController();
    const { tokens, registry, client, pull } = await setting({
      tokens: (request, response) => {
        controller.abort(new Error('enough'));
        setImmediate(() => giving('secret-1', 300)(request, response));
      },
    });
    const one = client();
    const first = one.blob(repositoryOn(registry), blob, 100, controller.signal);
    const second = pull(one);
    await expect(first).rejects.toThrow('enough');
    expect(await second).toBe('content');
    expect(tokens.seen).toHaveLength(1);
  });
});

test('a token that is refused when nobody waits for it any more is nobody’s error', async () => {
  const controller = new AbortController();
  const answered = Promise.withResolvers<void>();
  const { registry, client } = await setting({
    tokens: (_, response) => {
      response.on('close', answered.resolve);
      answer(response, 401);
    },
  });
  const credentials = async (): Promise<undefined> => {
    controller.abort(new Error('enough'));
  };
  const reading = client({ credentials }).blob(repositoryOn(registry), blob, 100, controller.signal);
  await expect(reading).rejects.toThrow('enough');
  // A rejection that nobody handles would fail the run.
  await answered.promise;
  await new Promise((resolve) => setTimeout(resolve, 50));
});

describe('when there is no way in', () => {
  const never = { takes: () => false };

  test.each([
    ['says to log in', undefined, /docker login/],
    ['says that the credentials are refused', password, /does not take the credentials/],
  ])('the error %s', async (_, credentials, message) => {
    const { registry, client, pull } = await setting({ ...never, challenge: () => 'Basic realm="x"' });
    const one = client({ ...(credentials && { credentials }) });
    const error = { code: 'ERR_REGISTRY_UNAUTHORIZED', message: expect.stringMatching(message) };
    await expect(pull(one)).rejects.toMatchObject(error);
    await expect(pull(one)).rejects.toMatchObject(error);
    // What was refused is not sent twice for one request.
    expect(registry.seen).toHaveLength(credentials === undefined ? 2 : 3);
  });

  test('a token that is refused is not fetched for ever', async () => {
    const { tokens, registry, client, pull } = await setting(never);
    expect(await codeOf(pull(client()))).toBe('ERR_REGISTRY_UNAUTHORIZED');
    expect([tokens.seen.length, registry.seen.length]).toEqual([1, 2]);
  });

  test.each([
    ['refuses', (_, response) => answer(response, 401), 'ERR_REGISTRY_UNAUTHORIZED'],
    ['has too many requests', (_, response) => answer(response, 429), 'ERR_REGISTRY_RATE_LIMITED'],
    ['gives no token', giving(undefined), 'ERR_REGISTRY_PROTOCOL'],
    ['gives a token that ends a header', giving('secret\r\nx-evil: 1'), 'ERR_REGISTRY_PROTOCOL'],
    ['gives a token of a megabyte', giving('x'.repeat(1_000_000)), 'ERR_REGISTRY_TOO_LARGE'],
    ['gives no JSON', (_, response) => answer(response, 200, {}, 'secret'), 'ERR_JSON_INVALID'],
    [
      'gives two',
      (_, response) => answer(response, 200, {}, '{"token":"a","token":"b"}'),
      'ERR_JSON_INVALID',
    ],
  ] satisfies [string, Script, string][])('a token endpoint that %s', async (_, tokens, code) => {
    const { client, pull } = await setting({ tokens });
    const error = await pull(client({ credentials: password })).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code });
    expect(String(error)).not.toMatch(/hunter2|secret/);
  });

  test('a token endpoint that is away for a moment is asked again', async () => {
    let calls = 0;
    const { client, pull } = await setting({
      tokens: (request, response) => {
        calls += 1;
        if (calls === 1) answer(response, 503);
        else giving('secret')(request, response);
      },
    });
    expect(await pull(client())).toBe('content');
  });

  test('a token endpoint that has moved is found where the registry says that it is now', async () => {
    let realm = 'https://169.254.169.254/token';
    const { client, pull } = await setting({
      challenge: ({ url }) => `Bearer realm="${realm === '' ? `${url}/token` : realm}",service="test"`,
    });
    const one = client();
    expect(await codeOf(pull(one))).toBe('ERR_REGISTRY_ADDRESS');
    realm = '';
    expect(await pull(one)).toBe('content');
  });
});

describe('credentials stay with the registry', () => {
  test('a token endpoint that redirects gets them, and nobody else does', async () => {
    const thief = await serve(giving('secret'));
    const { tokens, client, pull } = await setting({
      tokens: (_, response) => answer(response, 307, { location: `${thief.url}/token` }),
    });
    expect(await codeOf(pull(client({ credentials: password })))).toBe('ERR_REGISTRY_UNAUTHORIZED');
    expect([tokens.seen.length, thief.seen.length]).toEqual([1, 0]);
  });

  test('a registry that is elsewhere names a token endpoint on this machine: nothing is sent', async () => {
    const thief = await serve(giving('secret'));
    const registry = await serve((_, response) =>
      answer(response, 401, { 'www-authenticate': `Bearer realm="https://127.0.0.1:${thief.port}/token"` }),
    );
    const host = `registry.example:${registry.port}`;
    const client = clientFor([], {
      credentials: password,
      plainHttp: [host],
      allowedAddresses: [registry.address],
      resolve: async () => [{ address: registry.address, family: 4 }],
    });
    const reading = client.blob({ registry: host, path: 'a/b' }, blob, 100);
    expect(await codeOf(reading)).toBe('ERR_REGISTRY_ADDRESS');
    expect(thief.seen).toEqual([]);
  });

  test('they are asked for by the name of the registry that wants them, and no other', async () => {
    const asked: string[] = [];
    const { registry, client, pull } = await setting();
    const credentials = async ({ registry: name, path }: { registry: string; path: string }) => {
      asked.push(`${name}/${path}`);
      return undefined;
    };
    await pull(client({ credentials }));
    expect(new Set(asked)).toEqual(new Set([`${registry.host}/a/b`]));
  });
});

describe('checkRealm', () => {
  const secure = new URL('https://registry.example/v2/');
  const plain = new URL('http://registry.example:5000/v2/');
  const local = new URL('http://127.0.0.1:5000/v2/');

  test.each([
    ['https://auth.example/token', secure],
    ['https://registry.example:8443/token', secure],
    ['https://auth.example/token', plain],
    ['http://registry.example:5001/token', plain],
    ['http://127.0.0.1:5001/token', local],
    ['http://localhost:5001/token', local],
  ])('%s, of %s', (realm, registry) => {
    expect(checkRealm(realm, registry).href).toBe(realm);
  });

  test.each([
    ['without TLS', 'http://auth.example/token', secure],
    ['without TLS, of the registry itself', 'http://registry.example/token', secure],
    ['without TLS, on this machine', 'http://127.0.0.1/token', secure],
    ['without TLS, on another host', 'http://auth.example/token', plain],
    ['without TLS, on another host than this machine', 'http://auth.example/token', local],
    ['in another protocol', 'ftp://registry.example/token', plain],
    ['with a name and password', 'https://user:password@auth.example/token', secure],
    ['that is no URL', '/token', secure],
  ])('refuses one %s', (_, realm, registry) => {
    expect(() => checkRealm(realm, registry)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/ERR_REGISTRY_(PLAIN_HTTP|PROTOCOL)/) }),
    );
  });
});
