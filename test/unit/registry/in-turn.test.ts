import { describe, expect, test } from 'vitest';
import type { CredentialSource, Credentials } from '../../../src/registry/auth/credentials.ts';
import { registryAccess } from '../../../src/registry/client.ts';
import { clientInTurn } from '../../../src/registry/in-turn.ts';
import { createRegistryTransport } from '../../../src/registry/transport.ts';
import { onEnd } from '../../support/cleanup.ts';
import { codeOf, repositoryOn } from './support/client.ts';
import { type FakeOptions, type FakeRegistry, fakeRegistry } from './support/fake-registry.ts';
import { answer } from './support/server.ts';

const mediaType = 'application/vnd.oci.image.manifest.v1+json';
const config = { mediaType: 'application/x-test', digest: `sha256:${'00'.repeat(32)}`, size: 2 };
const image = { schemaVersion: 2, mediaType, config, layers: [] };
const password = (username: string): Credentials => ({ kind: 'password', username, password: 'p' });

/** Lets some users in, and answers the others as it is told. */
async function registryFor(allowed: readonly string[], refusal = 401): Promise<FakeRegistry> {
  const intercept: FakeOptions['intercept'] = ({ headers }, response) => {
    const user = userOf(headers.authorization);
    if (user !== undefined && allowed.includes(user)) return false;
    if (user === undefined) answer(response, 401, { 'www-authenticate': 'Basic realm="r"' });
    else answer(response, refusal, refusal === 401 ? { 'www-authenticate': 'Basic realm="r"' } : {});
    return true;
  };
  return await fakeRegistry({ intercept, referrersApi: false });
}

function userOf(authorization: string | undefined): string | undefined {
  const [, encoded] = /^Basic (.*)$/.exec(authorization ?? '') ?? [];
  return encoded === undefined ? undefined : atob(encoded).split(':')[0];
}

const usersSeen = ({ seen }: FakeRegistry) => seen.map(({ headers }) => userOf(headers.authorization));

function transportFor(registry: FakeRegistry) {
  const transport = createRegistryTransport({ plainHttp: [registry.host], sleep: async () => {} });
  onEnd(() => transport.close());
  return transport;
}

function clientOf(registry: FakeRegistry, users: readonly (string | undefined)[], hint?: string) {
  const transport = transportFor(registry);
  const [first, ...others] = users.map((user) => {
    const source: CredentialSource = async () => (user === undefined ? undefined : password(user));
    return { source, client: registryAccess(transport, source).client };
  });
  if (first === undefined) throw new Error('no users');
  return clientInTurn([first, ...others], hint);
}

describe('credentials are tried in turn', () => {
  test.each([401, 403, 404])('where the registry answers %s to those before', async (refusal) => {
    const registry = await registryFor(['good'], refusal);
    const { digest } = registry.put(image, { tag: 'v1' });
    const client = clientOf(registry, ['bad', undefined, 'good']);
    const where = repositoryOn(registry);
    expect(await client.resolve({ ...where, tag: 'v1', digest: undefined })).toMatchObject({ digest });
    expect(usersSeen(registry).at(-1)).toBe('good');
    // From then on at once.
    const before = registry.seen.length;
    await client.manifest(where, digest);
    expect(usersSeen(registry).slice(before)).toEqual(['good']);
  });

  test('and an empty list may be what is hidden', async () => {
    const registry = await registryFor(['good'], 404);
    const { digest } = registry.put(image, { tag: 'v1' });
    const index = { schemaVersion: 2, manifests: [{ mediaType, digest, size: 1 }] };
    registry.put(index, {
      tag: digest.replace(':', '-'),
      mediaType: 'application/vnd.oci.image.index.v1+json',
    });
    const where = repositoryOn(registry);
    const client = clientOf(registry, ['bad', 'good']);
    expect((await client.referrers(where, digest)).descriptors).toHaveLength(1);
    const nothing = clientOf(registry, ['bad', 'worse']);
    expect((await nothing.referrers(where, digest)).descriptors).toEqual([]);
  });

  test('but not where the registry fails: that says nothing about them', async () => {
    const registry = await registryFor(['good'], 503);
    const client = clientOf(registry, ['bad', 'good']);
    const asked = client.resolve({ ...repositoryOn(registry), tag: 'v1', digest: undefined });
    expect(await codeOf(asked)).toBe('ERR_REGISTRY_UNREACHABLE');
    expect(usersSeen(registry)).not.toContain('good');
  });

  test('and when none is taken, the first error is told, with what may be missing', async () => {
    const registry = await registryFor(['good'], 401);
    const client = clientOf(registry, ['bad', 'worse'], 'a secret may not be read');
    const asked = client.resolve({ ...repositoryOn(registry), tag: 'v1', digest: undefined });
    await expect(asked).rejects.toMatchObject({
      code: 'ERR_REGISTRY_UNAUTHORIZED',
      status: 401,
      message: expect.stringMatching(/does not take the credentials.*; a secret may not be read$/),
    });
  });
});

test('those who share a transport send each their own, and count together', async () => {
  const registry = await registryFor(['a', 'b']);
  registry.put(image, { tag: 'v1' });
  const transport = transportFor(registry);
  const ref = { ...repositoryOn(registry), tag: 'v1', digest: undefined };
  const clients = ['a', 'b', undefined].map(
    (user) => registryAccess(transport, async () => (user === undefined ? undefined : password(user))).client,
  );
  const codes = await Promise.all(
    clients.map(async (client) =>
      client.resolve(ref).then(
        () => 'ok',
        (error) => error.code,
      ),
    ),
  );
  expect(codes).toEqual(['ok', 'ok', 'ERR_REGISTRY_UNAUTHORIZED']);
  const before = registry.seen.length;
  for (const client of clients.slice(0, 2)) await client.resolve(ref);
  expect(usersSeen(registry).slice(before)).toEqual(['a', 'b']);
  expect(transport.requests()).toBe(registry.seen.length);
});

test('tokens are no one else’s', async () => {
  const registry = await fakeRegistry({
    intercept: ({ path, headers }, response) => {
      if (path.startsWith('/token')) {
        answer(response, 200, {}, JSON.stringify({ token: `of-${userOf(headers.authorization)}` }));
        return true;
      }
      if (headers.authorization?.startsWith('Bearer of-')) return false;
      const realm = `http://${headers.host}/token`;
      answer(response, 401, { 'www-authenticate': `Bearer realm="${realm}",service="s"` });
      return true;
    },
  });
  registry.put(image, { tag: 'v1' });
  const transport = transportFor(registry);
  const ref = { ...repositoryOn(registry), tag: 'v1', digest: undefined };
  for (const user of ['a', 'b', 'a', 'b']) {
    const { client } = registryAccess(transport, async () => password(user));
    await client.resolve(ref);
    expect(registry.seen.at(-1)?.headers.authorization).toBe(`Bearer of-${user}`);
    const before = registry.seen.length;
    await client.resolve(ref);
    expect(registry.seen.slice(before).map(({ headers }) => headers.authorization)).toEqual([
      `Bearer of-${user}`,
    ]);
  }
});
