import { describe, expect, test } from 'vitest';
import { digestOf } from '../../../src/registry/digest.ts';
import { parseMirrors, placesOf } from '../../../src/registry/mirrors.ts';
import { parseReference } from '../../../src/registry/reference.ts';
import { clientFor, codeOf, repositoryOn } from './support/client.ts';
import {
  type FakeOptions,
  type FakeRegistry,
  fakeRegistry,
  imageType,
  indexType,
} from './support/fake-registry.ts';
import { answer } from './support/server.ts';

test('placesOf: mirrors in their order, with their paths, the origin last', () => {
  const mirrors = parseMirrors({ 'index.docker.io': ['one.example/hub', 'two.example:5000'] });
  expect(placesOf(parseReference('nginx'), mirrors)).toMatchObject([
    { registry: 'one.example', path: 'hub/library/nginx' },
    { registry: 'two.example:5000', path: 'library/nginx' },
    { registry: 'docker.io', path: 'library/nginx' },
  ]);
  expect(placesOf(parseReference('other.example/a'), mirrors)).toHaveLength(1);
});

test('placesOf: with port 443 and without it is one registry', () => {
  const mirrors = parseMirrors({ 'registry.example:443': ['one.example:443/hub'] });
  for (const name of ['registry.example/a', 'registry.example:443/a']) {
    expect(placesOf(parseReference(name), mirrors)[0]).toEqual({ registry: 'one.example', path: 'hub/a' });
  }
});

test.each([
  'one.example/a._b',
  'one.example/a___b',
  'one.example/Hub',
  'one.example/../a',
  'https://one.example',
  '',
])('%j is no mirror', (place) => {
  expect(() => parseMirrors({ 'docker.io': [place] })).toThrow(
    expect.objectContaining({ code: expect.stringMatching(/_CONFIGURATION|_INVALID/) }),
  );
});

describe('a client with a mirror', () => {
  const content = Buffer.from('content');
  const blob = { mediaType: 'application/octet-stream', digest: digestOf(content), size: content.byteLength };
  const image = { schemaVersion: 2, mediaType: imageType, config: blob, layers: [] };

  async function setting(mirrorOptions?: FakeOptions) {
    const [origin, mirror] = [await fakeRegistry(), await fakeRegistry(mirrorOptions)];
    const client = clientFor([origin, mirror], { mirrors: { [origin.host]: [`${mirror.host}/m`] } });
    const repository = repositoryOn(origin);
    const reference = { ...repository, tag: 'v1', digest: undefined };
    return { origin, mirror, client, repository, reference };
  }

  test('reads from it alone what it has', async () => {
    const { origin, mirror, client, repository, reference } = await setting();
    const { digest } = mirror.put(image, { tag: 'v1' });
    mirror.blobs.set(blob.digest, content);
    expect(await client.resolve(reference)).toMatchObject({ digest });
    expect((await client.manifest(repository, digest)).digest).toBe(digest);
    expect(String(await client.blob(repository, blob, 100))).toBe('content');
    expect(mirror.lines()[0]).toBe('GET /v2/m/a/b/manifests/v1');
    expect(origin.seen).toEqual([]);
  });

  test.each([
    ['does not have it', {}],
    ['is broken', { status: 500 }],
    ['wants credentials', { status: 401 }],
    ['gives other bytes', { status: 200, body: JSON.stringify({ ...image, layers: [blob] }) }],
  ] as const)(
    'that %s reads from the origin',
    async (_, { status, body = '' }: { status?: number; body?: string }) => {
      const { origin, client, repository } = await setting({
        intercept: (_request, response) => {
          if (status === undefined) return false;
          answer(response, status, { 'content-type': imageType }, body);
          return true;
        },
      });
      const { digest } = origin.put(image);
      expect((await client.manifest(repository, digest)).digest).toBe(digest);
    },
  );

  test('that is under way when the caller gives up is followed by nobody', async () => {
    const controller = new AbortController();
    const enough = new Error('enough');
    const { origin, client, repository } = await setting({
      intercept: () => {
        controller.abort(enough);
        return true;
      },
    });
    await expect(client.manifest(repository, blob.digest, controller.signal)).rejects.toBe(enough);
    expect(origin.seen).toEqual([]);
  });

  test('where nobody has it, the error is the origin’s and tells of both', async () => {
    const { origin, mirror, client, repository } = await setting();
    await expect(client.manifest(repository, blob.digest)).rejects.toMatchObject({
      code: 'ERR_REGISTRY_NOT_FOUND',
      message: expect.stringMatching(new RegExp(`${origin.host}.*${mirror.host}`)),
    });
  });

  test('asks the origin for referrers when the mirror carries none', async () => {
    const { origin, client, repository } = await setting();
    const entry = { mediaType: imageType, digest: blob.digest, size: 1 };
    const index = { schemaVersion: 2, mediaType: indexType, manifests: [entry] };
    origin.put(index, { tag: `sha256-${blob.digest.slice(7)}`, mediaType: indexType });
    expect(await client.referrers(repository, blob.digest)).toMatchObject({ descriptors: [entry] });
  });

  const [old, fresh, both] = ['old', 'fresh', 'both'].map((name) => ({
    ...{ mediaType: imageType, digest: digestOf(Buffer.from(name)), size: 1 },
  }));
  const list = (registry: FakeRegistry, manifests: readonly unknown[]) =>
    registry.put(
      { schemaVersion: 2, mediaType: indexType, manifests },
      { tag: `sha256-${blob.digest.slice(7)}`, mediaType: indexType },
    );

  test('takes the referrers of both, as the origin has them: a mirror may be old', async () => {
    const { origin, mirror, client, repository } = await setting();
    list(mirror, [old, { ...both, size: 2 }]);
    list(origin, [fresh, both]);
    const { descriptors } = await client.referrers(repository, blob.digest);
    expect(descriptors).toEqual([fresh, both, old]);
  });

  test.each([
    ['is broken', 500, {}],
    ['wants credentials', 401, { 'www-authenticate': 'Basic realm="x"' }],
    ['is silent', undefined, {}],
  ] as const)('takes referrers from the mirror alone when the origin %s', async (_, status, headers) => {
    const origin = await fakeRegistry({
      intercept: (_request, response) => {
        if (status !== undefined) answer(response, status, headers);
        return true;
      },
    });
    const mirror = await fakeRegistry();
    const client = clientFor([origin, mirror], {
      mirrors: { [origin.host]: [mirror.host] },
      limits: { originListMs: 100 },
    });
    list(mirror, [old]);
    const { descriptors } = await client.referrers(repositoryOn(origin), blob.digest);
    expect(descriptors).toEqual([old]);
    expect(origin.seen.length).toBeGreaterThan(0);
  });

  test('leaves the origin when the caller gives up', async () => {
    const controller = new AbortController();
    const enough = new Error('enough');
    const origin = await fakeRegistry({
      intercept: () => {
        controller.abort(enough);
        return true;
      },
    });
    const mirror = await fakeRegistry();
    const client = clientFor([origin, mirror], { mirrors: { [origin.host]: [mirror.host] } });
    list(mirror, [old]);
    await expect(client.referrers(repositoryOn(origin), blob.digest, controller.signal)).rejects.toBe(enough);
  });

  test('writes to the origin alone', async () => {
    const { origin, mirror, client, repository } = await setting();
    await client.pushBlob(repository, content);
    await client.pushManifest(repository, Buffer.from('{}'), imageType);
    const subject = { mediaType: imageType, digest: blob.digest, size: 1 };
    const manifest = Buffer.from(JSON.stringify({ ...image, subject }));
    await client.attach(repository, subject, [
      { manifest, blobs: [content], artifactType: 'a/b', annotations: {} },
    ]);
    expect(mirror.seen).toEqual([]);
    expect(origin.manifests.size).toBeGreaterThan(2);
  });

  test('gives each of them its own credentials', async () => {
    const asked: string[] = [];
    const [origin, mirror] = [await fakeRegistry(), await fakeRegistry()];
    const intercepting = await fakeRegistry({
      intercept: (_, response) => {
        answer(response, 401, { 'www-authenticate': 'Basic realm="x"' });
        return true;
      },
    });
    const client = clientFor([origin, mirror, intercepting], {
      mirrors: { [origin.host]: [intercepting.host] },
      credentials: async ({ registry }) => {
        asked.push(registry);
        return { kind: 'password', username: registry, password: 'x' };
      },
    });
    expect(await codeOf(client.blob(repositoryOn(origin), blob, 100))).toBe('ERR_REGISTRY_NOT_FOUND');
    expect(new Set(asked)).toEqual(new Set([intercepting.host]));
    expect(origin.seen[0]?.headers.authorization).toBeUndefined();
  });
});
