import { describe, expect, test } from 'vitest';
import { type CopyEvent, type CopyRequest, copyImage } from '../../../src/registry/copy.ts';
import { type Digest, digestOf } from '../../../src/registry/digest.ts';
import type { RegistryOptions } from '../../../src/registry/options.ts';
import type { ImageReference } from '../../../src/registry/reference.ts';
import { clientFor, codeOf, repositoryOn } from './support/client.ts';
import {
  type FakeOptions,
  type FakeRegistry,
  fakeRegistry,
  imageType,
  indexType,
} from './support/fake-registry.ts';
import { answer } from './support/server.ts';

const plain = 'application/octet-stream';

interface Descriptor {
  readonly mediaType: string;
  readonly digest: `sha256:${string}`;
  readonly size: number;
}

function blobIn(registry: FakeRegistry, text: string): Descriptor {
  const bytes = Buffer.from(text);
  const digest = digestOf(bytes) as `sha256:${string}`;
  registry.blobs.set(digest, bytes);
  return { mediaType: plain, digest, size: bytes.byteLength };
}

function imageIn(registry: FakeRegistry, name: string, more: object = {}): Descriptor {
  const layers = [blobIn(registry, `layer of ${name}`), blobIn(registry, 'shared layer')];
  const config = blobIn(registry, `config of ${name}`);
  return registry.put({ schemaVersion: 2, mediaType: imageType, config, layers, ...more });
}

function indexIn(registry: FakeRegistry, manifests: readonly Descriptor[], tag?: string): Descriptor {
  const options = { mediaType: indexType, ...(tag !== undefined && { tag }) };
  return registry.put({ schemaVersion: 2, mediaType: indexType, manifests }, options);
}

/** Lists these in the source's fallback tag. */
function refer(registry: FakeRegistry, subject: Descriptor, entries: readonly Descriptor[]): void {
  indexIn(registry, entries, `sha256-${subject.digest.slice(7)}`);
}

async function setting(from: FakeOptions = {}, to: FakeOptions = {}, options: RegistryOptions = {}) {
  const [source, target] = [await fakeRegistry(from), await fakeRegistry(to)];
  const client = clientFor([source, target], options);
  const reference = (registry: FakeRegistry, names: Partial<ImageReference>): ImageReference => ({
    ...repositoryOn(registry),
    tag: undefined,
    digest: undefined,
    ...names,
  });
  const events: CopyEvent[] = [];
  const copy = (digest: Digest, more: Partial<CopyRequest> = {}) =>
    copyImage(
      client.access,
      {
        source: reference(source, { digest }),
        destination: reference(target, { tag: 'v1' }),
        referrers: true,
        ...more,
      },
      (event) => events.push(event),
    );
  return { source, target, client, copy, reference, events };
}

test('an image, with what is below it, under its tag', async () => {
  const { source, target, copy, events } = await setting();
  const image = imageIn(source, 'a');
  expect(await copy(image.digest)).toEqual({
    digest: image.digest,
    manifests: { copied: 1, present: 0 },
    blobs: { copied: 3, mounted: 0, present: 0, foreign: 0 },
    bytes: Buffer.byteLength('layer of a' + 'shared layer' + 'config of a'),
    referrers: 0,
  });
  expect(target.blobs).toEqual(source.blobs);
  expect(target.manifests.get('v1')).toEqual(source.manifests.get(image.digest));
  expect(events.map(({ kind }) => kind)).toEqual(['blob', 'blob', 'blob', 'manifest']);
});

test('an index with all its images; what they share is sent once', async () => {
  const { source, target, copy } = await setting();
  const index = indexIn(source, [imageIn(source, 'a'), imageIn(source, 'b')]);
  expect(await copy(index.digest)).toMatchObject({
    manifests: { copied: 3, present: 0 },
    blobs: { copied: 5, present: 0 },
  });
  expect(target.blobs).toEqual(source.blobs);
});

test('again: nothing is sent, and what is missing is added', async () => {
  const { source, target, copy } = await setting();
  const image = imageIn(source, 'a');
  await copy(image.digest);
  const before = target.seen.length;
  expect(await copy(image.digest)).toMatchObject({
    manifests: { copied: 0, present: 1 },
    blobs: { copied: 0 },
    bytes: 0,
  });
  const again = target.lines().slice(before);
  expect(again.filter((line) => !/^(HEAD|GET) /.test(line))).toEqual(['PUT /v2/a/b/manifests/v1']);
  refer(source, image, [imageIn(source, 'signature', { subject: image })]);
  expect(await copy(image.digest)).toMatchObject({ manifests: { copied: 1, present: 1 }, referrers: 1 });
});

describe('referrers', () => {
  async function signed(from?: FakeOptions, to?: FakeOptions) {
    const all = await setting(from, to);
    const image = imageIn(all.source, 'a');
    const signature = imageIn(all.source, 'signature', {
      subject: image,
      artifactType: 'application/x-signature',
      annotations: { by: 'ci' },
    });
    refer(all.source, image, [signature]);
    return { ...all, image, signature };
  }

  test('are listed where they came to, as they are and not as they were listed', async () => {
    const { target, copy, client, image, signature } = await signed();
    expect(await copy(image.digest)).toMatchObject({ referrers: 1 });
    expect(await client.referrers(repositoryOn(target), image.digest)).toEqual({
      descriptors: [{ ...signature, artifactType: 'application/x-signature', annotations: { by: 'ci' } }],
      source: 'tag',
    });
  });

  test('need no tag where the registry lists them', async () => {
    const { target, copy, client, image, signature } = await signed({}, { referrersApi: true });
    await copy(image.digest);
    expect(await client.referrers(repositoryOn(target), image.digest)).toEqual({
      descriptors: [signature],
      source: 'api',
    });
    expect([...target.manifests.keys()].filter((name) => name.startsWith('sha256-'))).toEqual([]);
  });

  test('come with their own referrers, and with those of an index’s images', async () => {
    const { source, target, copy, client } = await setting();
    const image = imageIn(source, 'a');
    const index = indexIn(source, [image]);
    const bill = imageIn(source, 'bill of materials', { subject: image });
    const signature = imageIn(source, 'signature of the bill', { subject: bill });
    refer(source, image, [bill]);
    refer(source, bill, [signature]);
    expect(await copy(index.digest)).toMatchObject({ referrers: 2 });
    const listed = await client.referrers(repositoryOn(target), bill.digest);
    expect(listed.descriptors.map(({ digest }) => digest)).toEqual([signature.digest]);
  });

  test('are there before the tag is', async () => {
    const { target, copy, image, signature } = await signed();
    await copy(image.digest);
    const writes = target.lines().filter((line) => line.startsWith('PUT /v2/a/b/manifests/'));
    expect(writes).toEqual([
      `PUT /v2/a/b/manifests/${image.digest}`,
      `PUT /v2/a/b/manifests/${signature.digest}`,
      `PUT /v2/a/b/manifests/sha256-${image.digest.slice(7)}`,
      'PUT /v2/a/b/manifests/v1',
    ]);
  });

  test('stay behind when they are not wanted', async () => {
    const { source, target, copy, image } = await signed();
    expect(await copy(image.digest, { referrers: false })).toMatchObject({ referrers: 0 });
    expect([...target.manifests.keys()]).toEqual([image.digest, 'v1']);
    expect(source.lines().join()).not.toMatch(/referrers|sha256-/);
  });

  test('that name another subject are none', async () => {
    const { source, target, copy, image } = await signed();
    const stranger = imageIn(source, 'stranger', {
      subject: { ...image, digest: digestOf(Buffer.from('x')) },
    });
    refer(source, image, [stranger, imageIn(source, 'no subject')]);
    expect(await copy(image.digest)).toMatchObject({ referrers: 0, manifests: { copied: 1 } });
    expect(target.manifests.has(stranger.digest)).toBe(false);
  });

  test('that cannot be listed are an error, and there is no tag', async () => {
    const { target, copy, image } = await signed({
      intercept: (request, response) => {
        if (!request.path.includes('/referrers/')) return false;
        answer(response, 500);
        return true;
      },
    });
    expect(await codeOf(copy(image.digest))).toBe('ERR_REGISTRY_UNREACHABLE');
    expect(target.manifests.has('v1')).toBe(false);
  });

  test('of referrers end somewhere', async () => {
    const { source, copy } = await setting();
    const image = imageIn(source, '0');
    let subject = image;
    for (let n = 1; n < 8; n += 1) {
      const next = imageIn(source, String(n), { subject });
      refer(source, subject, [next]);
      subject = next;
    }
    expect(await codeOf(copy(image.digest))).toBe('ERR_REGISTRY_TOO_LARGE');
  });

  test('in total have a limit', async () => {
    const { source, copy } = await setting({}, {}, { limits: { maxReferrers: 3 } });
    const images = [imageIn(source, 'a'), imageIn(source, 'b')];
    for (const image of images) {
      refer(
        source,
        image,
        [1, 2].map((n) => imageIn(source, `${image.digest} ${n}`, { subject: image })),
      );
    }
    expect(await codeOf(copy(indexIn(source, images).digest))).toBe('ERR_REGISTRY_TOO_LARGE');
  });
});

test('an index in an index, and so on, ends somewhere', async () => {
  const { source, copy } = await setting();
  let index = imageIn(source, 'a');
  for (let n = 0; n < 6; n += 1) index = indexIn(source, [index]);
  expect(await codeOf(copy(index.digest))).toBe('ERR_REGISTRY_TOO_LARGE');
});

test('an index of what is no manifest is an error', async () => {
  const { source, target, copy } = await setting();
  const index = indexIn(source, [blobIn(source, 'x')]);
  expect(await codeOf(copy(index.digest))).toBe('ERR_MANIFEST_INVALID');
  expect(target.manifests.size).toBe(0);
});

describe('a blob', () => {
  test.each([
    ['other content of the same length', 'layer of b', 'ERR_REGISTRY_DIGEST_MISMATCH'],
    ['more', 'layer of a, and more', 'ERR_REGISTRY_TOO_LARGE'],
    ['less', 'layer', 'ERR_REGISTRY_DIGEST_MISMATCH'],
  ])('with %s does not arrive', async (_, text, code) => {
    const { source, target, copy } = await setting();
    const image = imageIn(source, 'a');
    const layer = digestOf(Buffer.from('layer of a'));
    source.blobs.set(layer, Buffer.from(text));
    expect(await codeOf(copy(image.digest))).toBe(code);
    expect(target.blobs.has(layer)).toBe(false);
    expect(target.manifests.size).toBe(0);
  });

  test('that is inline is sent from there', async () => {
    const { source, target, copy } = await setting();
    const inline = { ...blobIn(source, 'inline'), data: Buffer.from('inline').toString('base64') };
    source.blobs.clear();
    const image = source.put({ schemaVersion: 2, mediaType: imageType, config: inline, layers: [] });
    await copy(image.digest);
    expect(String(target.blobs.get(inline.digest))).toBe('inline');
  });

  test('that nobody may distribute stays where it is', async () => {
    const { source, target, copy } = await setting();
    const foreign = { ...blobIn(source, 'foreign'), urls: ['https://owner.example/layer'] };
    const config = blobIn(source, 'config');
    const image = source.put({ schemaVersion: 2, mediaType: imageType, config, layers: [foreign] });
    expect(await copy(image.digest)).toMatchObject({ blobs: { copied: 1, foreign: 1 } });
    expect(target.blobs.has(foreign.digest)).toBe(false);
  });

  test('that is empty', async () => {
    const { source, target, copy } = await setting();
    const config = blobIn(source, '');
    const image = source.put({ schemaVersion: 2, mediaType: imageType, config, layers: [] });
    await copy(image.digest);
    expect(target.blobs.get(config.digest)).toEqual(Buffer.alloc(0));
  });

  test('is asked for again when its source breaks off', async () => {
    let breaks = 1;
    const { source, target, copy } = await setting({
      intercept: (request, response) => {
        if (!request.path.includes('/blobs/') || breaks === 0) return false;
        breaks -= 1;
        response.writeHead(200, { 'content-length': '10' });
        response.write('layer');
        setImmediate(() => response.destroy());
        return true;
      },
    });
    const image = imageIn(source, 'a');
    await copy(image.digest);
    expect(target.blobs).toEqual(source.blobs);
  });
});

describe('within one registry', () => {
  test('blobs are mounted, where the registry does that', async () => {
    const { source, copy, reference } = await setting({
      intercept: (request, response) => {
        const { searchParams } = new URL(request.path, 'http://r');
        // There is one store for all repositories: only what was asked for can be seen here.
        if (request.method === 'HEAD' && request.path.startsWith('/v2/c/d/')) answer(response, 404);
        else if (searchParams.get('from') === 'a/b') answer(response, 201);
        else return false;
        return true;
      },
    });
    const image = imageIn(source, 'a');
    const destination = { ...reference(source, { tag: 'v2' }), path: 'c/d' };
    const result = await copy(image.digest, { destination });
    expect(result).toMatchObject({ blobs: { copied: 0, mounted: 3 }, bytes: 0 });
    expect(source.lines().filter((line) => line.startsWith('PUT') && line.includes('blobs'))).toEqual([]);
  });
});

describe('the destination', () => {
  test('without a tag gets none', async () => {
    const { source, target, copy, reference } = await setting();
    const image = imageIn(source, 'a');
    await copy(image.digest, { destination: reference(target, { digest: image.digest }) });
    expect([...target.manifests.keys()]).toEqual([image.digest]);
  });

  test('with another digest is an error', async () => {
    const { source, target, copy, reference } = await setting();
    const image = imageIn(source, 'a');
    const destination = reference(target, { digest: digestOf(Buffer.from('x')) });
    expect(await codeOf(copy(image.digest, { destination }))).toBe('ERR_REGISTRY_DIGEST_MISMATCH');
    expect(target.seen).toEqual([]);
  });
});

test('a tag is resolved once: what is copied is what it named then', async () => {
  const { source, target, copy, reference } = await setting({
    intercept: (request, _response, registry) => {
      if (request.path.endsWith('/manifests/moving')) setImmediate(() => registry.put({}, { tag: 'moving' }));
    },
  });
  const image = imageIn(source, 'a');
  const stored = source.manifests.get(image.digest);
  if (stored !== undefined) source.manifests.set('moving', stored);
  const result = await copy(image.digest, { source: reference(source, { tag: 'moving' }) });
  expect(result.digest).toBe(image.digest);
  expect(target.manifests.get('v1')).toEqual(stored);
  expect(source.lines().filter((line) => line.endsWith('/moving'))).toHaveLength(1);
});
