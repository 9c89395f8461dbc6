// Reading from registries that lie about what they have.

import { describe, expect, test } from 'vitest';
import { digestOf } from '../../../src/registry/digest.ts';
import type { ImageReference } from '../../../src/registry/reference.ts';
import { clientFor, codeOf, repositoryOn } from './support/client.ts';
import { type FakeOptions, fakeRegistry, imageType, indexType } from './support/fake-registry.ts';
import { answer } from './support/server.ts';

const content = Buffer.from('content');
const other = Buffer.from('CONTENT');
const blob = { mediaType: 'application/octet-stream', digest: digestOf(content), size: content.byteLength };
const image = { schemaVersion: 2, mediaType: imageType, config: blob, layers: [blob] };
const imageBytes = Buffer.from(JSON.stringify(image));

async function setting(options?: FakeOptions) {
  const registry = await fakeRegistry(options);
  const pushed = registry.put(image, { tag: 'v1' });
  registry.blobs.set(blob.digest, content);
  const repository = repositoryOn(registry);
  const reference = (names: Partial<ImageReference>): ImageReference => ({
    ...repository,
    tag: undefined,
    digest: undefined,
    ...names,
  });
  return { registry, pushed, repository, reference, client: clientFor([registry]) };
}

describe('resolve', () => {
  test('asks once, and tells what the bytes are', async () => {
    const { client, reference, pushed } = await setting();
    expect(await client.resolve(reference({ tag: 'v1' }))).toEqual(pushed);
    expect(client.requests()).toBe(1);
  });

  test('with a tag and a digest asks for the digest', async () => {
    const { registry, client, reference, pushed } = await setting();
    registry.put({ ...image, layers: [] }, { tag: 'v1' });
    expect(await client.resolve(reference({ tag: 'v1', digest: pushed.digest }))).toEqual(pushed);
    expect(registry.lines()).toEqual([`GET /v2/a/b/manifests/${pushed.digest}`]);
  });

  test('by SHA-512', async () => {
    const { registry, client, reference, repository } = await setting();
    const digest = digestOf(imageBytes, 'sha512');
    registry.manifests.set(digest, { bytes: imageBytes, mediaType: imageType });
    expect(await client.resolve(reference({ digest }))).toMatchObject({ digest });
    expect((await client.manifest(repository, digest)).digest).toBe(digest);
  });

  test.each([
    ['agrees', digestOf(imageBytes), digestOf(imageBytes)],
    ['names the bytes by SHA-512', digestOf(imageBytes, 'sha512'), digestOf(imageBytes, 'sha512')],
    ['is no digest', 'md5:0', digestOf(imageBytes)],
  ])('the digest in the header %s', async (_, header, digest) => {
    const { client, reference } = await setting({
      intercept: (_request, response) => {
        answer(response, 200, { 'content-type': imageType, 'docker-content-digest': header }, imageBytes);
        return true;
      },
    });
    expect(await client.resolve(reference({ tag: 'v1' }))).toMatchObject({ digest });
  });

  test('a header that names other bytes is a lie', async () => {
    const { client, reference } = await setting({
      intercept: (_request, response) => {
        const headers = { 'content-type': imageType, 'docker-content-digest': digestOf(other) };
        answer(response, 200, headers, imageBytes);
        return true;
      },
    });
    expect(await codeOf(client.resolve(reference({ tag: 'v1' })))).toBe('ERR_REGISTRY_DIGEST_MISMATCH');
  });

  test('what a tag names now is what is told, though it names something else the next time', async () => {
    let n = 0;
    const { client, repository, reference } = await setting({
      intercept: (request, _response, registry) => {
        if (!request.path.endsWith('/v1')) return;
        n += 1;
        registry.put({ ...image, annotations: { n: String(n) } }, { tag: 'v1' });
      },
    });
    const first = await client.resolve(reference({ tag: 'v1' }));
    const second = await client.resolve(reference({ tag: 'v1' }));
    expect(second.digest).not.toBe(first.digest);
    // By its digest the first one is still what it was.
    expect((await client.manifest(repository, first.digest)).manifest.annotations).toEqual({ n: '1' });
  });
});

describe('manifest', () => {
  test('other bytes than the digest names are refused', async () => {
    const { client, repository, pushed } = await setting({
      intercept: (_request, response) => {
        answer(response, 200, { 'content-type': imageType }, JSON.stringify({ ...image, layers: [] }));
        return true;
      },
    });
    expect(await codeOf(client.manifest(repository, pushed.digest))).toBe('ERR_REGISTRY_DIGEST_MISMATCH');
  });

  test.each([
    ['none', {}],
    ['that of JSON', { 'content-type': 'application/json' }],
    ['that of an index', { 'content-type': indexType }],
  ])('a media type in the header, %s, that is not the one in the body', async (_, headers) => {
    const { client, repository, pushed } = await setting({
      intercept: (_request, response) => {
        answer(response, 200, headers, imageBytes);
        return true;
      },
    });
    expect(await codeOf(client.manifest(repository, pushed.digest))).toBe('ERR_MANIFEST_INVALID');
  });

  test('bytes that two readers read differently', async () => {
    const { registry, client, repository } = await setting();
    const bytes = Buffer.from(String(imageBytes).replace('"layers"', '"layers":[],"layers"'));
    registry.manifests.set(digestOf(bytes), { bytes, mediaType: imageType });
    expect(await codeOf(client.manifest(repository, digestOf(bytes)))).toBe('ERR_JSON_INVALID');
  });

  test('one that is too large', async () => {
    const { registry, repository, pushed } = await setting();
    const client = clientFor([registry], { limits: { manifest: { maxBytes: 100, maxEntries: 10 } } });
    expect(await codeOf(client.manifest(repository, pushed.digest))).toBe('ERR_REGISTRY_TOO_LARGE');
  });

  test('one that is larger than the caller wants is refused by the bytes that come', async () => {
    const { client, repository, pushed } = await setting();
    const fetch = (max: number) => client.manifest(repository, pushed.digest, undefined, max);
    expect((await fetch(pushed.size)).digest).toBe(pushed.digest);
    expect(await codeOf(fetch(pushed.size - 1))).toBe('ERR_REGISTRY_TOO_LARGE');
  });

  test('the limit of the client holds whatever the caller wants', async () => {
    const { registry, repository, pushed } = await setting();
    const client = clientFor([registry], { limits: { manifest: { maxBytes: 100, maxEntries: 10 } } });
    const fetching = client.manifest(repository, pushed.digest, undefined, 10_000);
    expect(await codeOf(fetching)).toBe('ERR_REGISTRY_TOO_LARGE');
  });

  test('one that is not there: what was asked for, and what to do', async () => {
    const { client, repository, reference } = await setting();
    const name = `${repository.registry}/${repository.path}`;
    const absent = digestOf(other);
    await expect(client.resolve(reference({ tag: 'nope' }))).rejects.toMatchObject({
      ...{ code: 'ERR_REGISTRY_NOT_FOUND', status: 404 },
      message: `there is no image ${name}:nope: check the name and the tag; the registry says "UNKNOWN: not here"`,
    });
    await expect(client.manifest(repository, absent)).rejects.toMatchObject({
      ...{ code: 'ERR_REGISTRY_NOT_FOUND', status: 404 },
      message: `there is no image or artifact ${name}@${absent}: check the name and the digest; the registry says "UNKNOWN: not here"`,
    });
  });

  test('all media types that are read are accepted', async () => {
    const { registry, client, repository, pushed } = await setting();
    await client.manifest(repository, pushed.digest);
    expect(registry.seen[0]?.headers.accept?.split(', ')).toEqual([
      imageType,
      indexType,
      'application/vnd.docker.distribution.manifest.v2+json',
      'application/vnd.docker.distribution.manifest.list.v2+json',
    ]);
  });
});

describe('blob', () => {
  test('its content', async () => {
    const { client, repository } = await setting();
    expect(String(await client.blob(repository, blob, 100))).toBe('content');
  });

  test.each([
    ['other bytes of the same length', other, 'ERR_REGISTRY_DIGEST_MISMATCH'],
    ['too few', content.subarray(1), 'ERR_REGISTRY_DIGEST_MISMATCH'],
    ['nothing', Buffer.alloc(0), 'ERR_REGISTRY_DIGEST_MISMATCH'],
    ['too many', Buffer.concat([content, content]), 'ERR_REGISTRY_TOO_LARGE'],
  ])('%s', async (_, bytes, code) => {
    const { registry, client, repository } = await setting();
    registry.blobs.set(blob.digest, bytes);
    expect(await codeOf(client.blob(repository, blob, 100))).toBe(code);
  });

  test('a size in the descriptor that is not the content’s', async () => {
    const { client, repository } = await setting();
    const longer = { ...blob, size: blob.size + 1 };
    expect(await codeOf(client.blob(repository, longer, 100))).toBe('ERR_REGISTRY_DIGEST_MISMATCH');
  });

  test('an error tells what has come for nothing', async () => {
    const { registry, client, repository } = await setting();
    const costOf = async (bytes: Buffer) => {
      registry.blobs.set(blob.digest, bytes);
      return await client.blob(repository, blob, 100).catch((error: unknown) => error);
    };
    expect(await costOf(content.subarray(1))).toMatchObject({ receivedBytes: content.length - 1 });
    // It says how long it is, and is not read.
    expect(await costOf(Buffer.concat([content, content]))).toMatchObject({ receivedBytes: 0 });
  });

  test('one that is larger than the caller wants is not asked for', async () => {
    const { client, repository } = await setting();
    expect(await codeOf(client.blob(repository, blob, blob.size - 1))).toBe('ERR_REGISTRY_TOO_LARGE');
    expect(client.requests()).toBe(0);
  });

  test('inline data needs no request', async () => {
    const { client, repository } = await setting();
    const inline = { ...blob, data: content.toString('base64') };
    expect(String(await client.blob(repository, inline, 100))).toBe('content');
    expect(client.requests()).toBe(0);
  });

  test.each([
    ['other content', other.toString('base64')],
    ['content that is not all', content.subarray(1).toString('base64')],
    ['nothing', ''],
    ['the content in another alphabet', `${content.toString('base64')}=`],
    ['the content with a line end', `${content.toString('base64')}\n`],
  ])('inline data with %s is refused, and the registry is not asked instead', async (_, data) => {
    const { client, repository } = await setting();
    expect(await codeOf(client.blob(repository, { ...blob, data }, 100))).toBe('ERR_MANIFEST_INVALID');
    expect(client.requests()).toBe(0);
  });
});
