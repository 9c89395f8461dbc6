import { describe, expect, test } from 'vitest';
import { digestOf } from '../../../src/registry/digest.ts';
import { defaultRegistryLimits } from '../../../src/registry/limits.ts';
import { fallbackTag } from '../../../src/registry/referrers.ts';
import { clientFor, codeOf, repositoryOn } from './support/client.ts';
import { type FakeOptions, fakeRegistry, imageType, indexType } from './support/fake-registry.ts';
import { answer, type Script, type Scripted, serve } from './support/server.ts';

const subject = digestOf(Buffer.from('subject'));
const api = `/v2/a/b/referrers/${subject}`;
const tag = `/v2/a/b/manifests/${fallbackTag(subject)}`;

const entry = (n: number) => ({ mediaType: imageType, digest: digestOf(Buffer.from(String(n))), size: n });
const entries = (count: number, from = 0) => Array.from({ length: count }, (_, n) => entry(n + from));
const index = (manifests: unknown): string =>
  JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests });

/** A registry with this list in its API. */
function listing(manifests: readonly unknown[], headers: Record<string, string> = {}): Script {
  return (_, response) => answer(response, 200, { 'content-type': indexType, ...headers }, index(manifests));
}

async function ask(registry: Scripted, limits = {}) {
  const client = clientFor([registry], { limits });
  const result = await client.referrers(repositoryOn(registry), subject).catch((error: unknown) => error);
  return { client, result };
}

test.each([
  [`sha256:${'a'.repeat(64)}`, `sha256-${'a'.repeat(64)}`],
  [`sha512:${'b'.repeat(128)}`, `sha512-${'b'.repeat(64)}`],
] as const)('the tag of %s is %s', (digest, name) => {
  expect(fallbackTag(digest)).toBe(name);
});

describe('the API', () => {
  test('is asked first, and alone when it answers', async () => {
    const registry = await serve(listing(entries(2)));
    expect((await ask(registry)).result).toEqual({ descriptors: entries(2), source: 'api' });
    expect(registry.lines()).toEqual([`GET ${api}`]);
  });

  test('an empty list is one', async () => {
    const registry = await serve(listing([]));
    expect((await ask(registry)).result).toEqual({ descriptors: [], source: 'api' });
    expect(registry.lines()).toEqual([`GET ${api}`]);
  });

  test('pages are put together', async () => {
    const registry = await serve((request, response) => {
      const page = Number(new URL(request.path, 'http://r').searchParams.get('page') ?? 0);
      const link: Record<string, string> = page < 2 ? { link: `<${api}?page=${page + 1}>; rel="next"` } : {};
      listing(entries(2, page * 2), link)(request, response);
    });
    expect((await ask(registry)).result).toEqual({ descriptors: entries(6), source: 'api' });
    expect(registry.lines()).toEqual([`GET ${api}`, `GET ${api}?page=1`, `GET ${api}?page=2`]);
  });

  test.each([
    [500, 'ERR_REGISTRY_UNREACHABLE'],
    [503, 'ERR_REGISTRY_UNREACHABLE'],
    [403, 'ERR_REGISTRY_DENIED'],
    [401, 'ERR_REGISTRY_UNAUTHORIZED'],
    [400, 'ERR_REGISTRY_PROTOCOL'],
    [405, 'ERR_REGISTRY_PROTOCOL'],
    [429, 'ERR_REGISTRY_RATE_LIMITED'],
  ])(
    'that answers %d is an error: there is no looking at the tag, and no empty list',
    async (status, code) => {
      const registry = await fakeRegistry({
        intercept: (request, response) => {
          if (!request.path.includes('/referrers/')) return false;
          answer(response, status);
          return true;
        },
      });
      registry.put(JSON.parse(index(entries(1))), { tag: fallbackTag(subject), mediaType: indexType });
      expect((await ask(registry)).result).toMatchObject({ code });
      expect(registry.lines().filter((line) => line.includes('/manifests/'))).toEqual([]);
    },
  );

  test.each([
    ['comes as JSON', { 'content-type': 'application/json' }, index([]), 'ERR_REGISTRY_PROTOCOL'],
    ['comes as an image', { 'content-type': imageType }, index([]), 'ERR_REGISTRY_PROTOCOL'],
    ['comes as nothing', {}, index([]), 'ERR_REGISTRY_PROTOCOL'],
    ['is no JSON', { 'content-type': indexType }, '<html>', 'ERR_JSON_INVALID'],
    ['is another document', { 'content-type': indexType }, '{}', 'ERR_MANIFEST_INVALID'],
    ['is no list', { 'content-type': indexType }, '{"manifests":{}}', 'ERR_MANIFEST_INVALID'],
    [
      'is an image too',
      { 'content-type': indexType },
      '{"manifests":[],"layers":[]}',
      'ERR_MANIFEST_INVALID',
    ],
  ])('whose list %s is an error', async (_, headers, body, code) => {
    const registry = await serve((_request, response) => answer(response, 200, headers, body));
    expect((await ask(registry)).result).toMatchObject({ code });
    expect(registry.seen).toHaveLength(1);
  });
});

describe('what whoever may push can put into the list', () => {
  const good = entries(1)[0];
  const strange = [
    ['a media type that is none', { ...good, artifactType: 'not a media type' }],
    ['annotations that are no texts', { ...good, annotations: { a: 1, b: null } }],
    ['annotations that are no object', { ...good, annotations: [] }],
    ['members in another case', { ...good, Digest: 'sha256:0', Annotations: {} }],
    ['a long annotation', { ...good, annotations: { a: 'x'.repeat(10_000) } }],
  ] as const;

  test.each(strange)('%s does not hide the others, nor itself', async (_, entry) => {
    const registry = await serve(listing([entry, ...entries(1, 1)]));
    expect((await ask(registry)).result).toEqual({ descriptors: entries(2), source: 'api' });
  });

  test.each([
    ['no object', 'junk'],
    ['no digest', { ...good, digest: 'sha256:short' }],
    ['no size', { ...good, size: -1 }],
    ['no media type', { ...good, mediaType: '' }],
  ])('%s: it is left out', async (_, entry) => {
    const registry = await serve(listing([entry, ...entries(1, 1)]));
    expect((await ask(registry)).result).toEqual({ descriptors: entries(1, 1), source: 'api' });
  });

  test('a member __proto__ changes nothing', async () => {
    const list = index([{ ...good, annotations: { proto: 'x' } }, ...entries(1, 1)]).replace(
      '"proto"',
      '"__proto__"',
    );
    const registry = await serve((_request, response) =>
      answer(response, 200, { 'content-type': indexType }, list),
    );
    expect((await ask(registry)).result).toEqual({ descriptors: entries(2), source: 'api' });
  });
});

describe('limits', () => {
  test('the bytes of all pages together have an end', async () => {
    let n = 0;
    const registry = await serve((request, response) => {
      n += 1;
      listing(entries(1, n), { link: `<${api}?n=${n}>; rel="next"` })(request, response);
    });
    expect((await ask(registry, { maxReferrerListBytes: 1_000 })).result).toMatchObject({
      code: 'ERR_REGISTRY_TOO_LARGE',
    });
    expect(registry.seen.length).toBeLessThan(10);
  });

  test('1,000 junk referrers are read in one request', async () => {
    const registry = await serve(listing(entries(1_002)));
    const { client, result } = await ask(registry);
    expect(result).toMatchObject({ descriptors: { length: 1_002 } });
    expect(client.requests()).toBe(1);
  });

  test('more than are allowed are an error that says how many are', async () => {
    const registry = await serve(listing(entries(11)));
    expect((await ask(registry, { maxReferrers: 10 })).result).toMatchObject({
      code: 'ERR_REGISTRY_TOO_LARGE',
      message: expect.stringContaining('10 are allowed'),
    });
    expect((await ask(registry, { maxReferrers: 11 })).result).toMatchObject({ source: 'api' });
  });

  test('more than are allowed, in many pages, are not read to their end', async () => {
    let n = 0;
    const registry = await serve((request, response) => {
      n += 1;
      listing(entries(4, n), { link: `<${api}?n=${n}>; rel="next"` })(request, response);
    });
    expect((await ask(registry, { maxReferrers: 10 })).result).toMatchObject({
      code: 'ERR_REGISTRY_TOO_LARGE',
    });
    expect(registry.seen).toHaveLength(3);
  });

  test('pages without end, and empty', async () => {
    let n = 0;
    const registry = await serve((request, response) => {
      n += 1;
      listing([], { link: `<${api}?n=${n}>; rel="next"` })(request, response);
    });
    expect((await ask(registry, { maxReferrerPages: 5 })).result).toMatchObject({
      code: 'ERR_REGISTRY_TOO_LARGE',
      message: expect.stringContaining('5 pages'),
    });
    expect(registry.seen).toHaveLength(5);
  });

  test('by default have an end', () => {
    const { maxReferrers, maxReferrerListBytes } = defaultRegistryLimits;
    expect(maxReferrers).toBeLessThanOrEqual(10_000);
    expect(maxReferrerListBytes).toBeLessThanOrEqual(2 ** 25);
  });

  test.each([
    ['the same page', api],
    ['another origin', 'https://evil.example/v2/'],
    ['another port', 'http://127.0.0.1:1/v2/'],
  ])('a next page that is %s', async (_, target) => {
    const registry = await serve(listing(entries(1), { link: `<${target}>; rel="next"` }));
    expect((await ask(registry)).result).toMatchObject({ code: 'ERR_REGISTRY_PROTOCOL' });
    expect(registry.seen).toHaveLength(1);
  });

  test('a later page that is missing is an error', async () => {
    const registry = await serve((request, response) => {
      if (request.path === api)
        listing(entries(1), { link: `<${api}?page=1>; rel="next"` })(request, response);
      else answer(response, 404);
    });
    expect((await ask(registry)).result).toMatchObject({ code: 'ERR_REGISTRY_NOT_FOUND' });
  });
});

describe('without the API', () => {
  async function withTag(manifests: unknown, mediaType = indexType, options: FakeOptions = {}) {
    const registry = await fakeRegistry(options);
    registry.put(JSON.parse(index(manifests)), { tag: fallbackTag(subject), mediaType });
    return registry;
  }

  test('the tag has the list', async () => {
    const registry = await withTag(entries(2));
    expect((await ask(registry)).result).toEqual({ descriptors: entries(2), source: 'tag' });
    expect(registry.lines()).toEqual([`GET ${api}`, `GET ${tag}`]);
  });

  test('no tag is an empty list', async () => {
    const registry = await fakeRegistry();
    expect((await ask(registry)).result).toEqual({ descriptors: [], source: 'tag' });
  });

  test.each([500, 403])('a tag that answers %d is an error', async (status) => {
    const registry = await fakeRegistry({
      intercept: (request, response) => {
        if (!request.path.includes('/manifests/')) return false;
        answer(response, status);
        return true;
      },
    });
    expect((await ask(registry)).result).toMatchObject({ status });
  });

  test('a tag that names an image is an error', async () => {
    const registry = await fakeRegistry();
    const blob = { mediaType: 'application/octet-stream', digest: subject, size: 1 };
    registry.put(
      { schemaVersion: 2, mediaType: imageType, config: blob, layers: [] },
      { tag: fallbackTag(subject) },
    );
    expect((await ask(registry)).result).toMatchObject({ code: 'ERR_MANIFEST_INVALID' });
  });

  test('has the same limit', async () => {
    const registry = await withTag(entries(11));
    expect((await ask(registry, { maxReferrers: 10 })).result).toMatchObject({
      code: 'ERR_REGISTRY_TOO_LARGE',
    });
  });
});

test('the caller can give up', async () => {
  const controller = new AbortController();
  const registry = await serve(() => controller.abort(new Error('enough')));
  const client = clientFor([registry]);
  const listed = client.referrers(repositoryOn(registry), subject, controller.signal);
  await expect(listed).rejects.toThrow('enough');
  expect(await codeOf(listed)).toMatchObject({ message: 'enough' });
});
