import { describe, expect, test } from 'vitest';
import { digestOf } from '../../../src/registry/digest.ts';
import { putManifest } from '../../../src/registry/push.ts';
import { clientFor, codeOf, repositoryOn } from './support/client.ts';
import { type FakeOptions, fakeRegistry, imageType } from './support/fake-registry.ts';
import { answer } from './support/server.ts';

const content = Buffer.from('content');
const digest = digestOf(content);
const manifest = Buffer.from('{}');

async function setting(options?: FakeOptions) {
  const registry = await fakeRegistry(options);
  const client = clientFor([registry]);
  const repository = repositoryOn(registry);
  return { registry, client, pushBlob: () => client.pushBlob(repository, content), repository };
}

describe('pushBlob', () => {
  test('uploads in one piece', async () => {
    const { registry, pushBlob } = await setting();
    expect(await pushBlob()).toEqual({ mediaType: 'application/octet-stream', digest, size: 7 });
    expect(registry.lines()).toEqual([
      `HEAD /v2/a/b/blobs/${digest}`,
      'POST /v2/a/b/blobs/uploads/',
      `PUT /v2/a/b/blobs/uploads/session?digest=${encodeURIComponent(digest)}`,
    ]);
    expect(registry.blobs.get(digest)).toEqual(content);
  });

  test('sends nothing that is there', async () => {
    const { registry, pushBlob } = await setting();
    registry.blobs.set(digest, content);
    await pushBlob();
    expect(registry.seen).toHaveLength(1);
  });

  test('keeps what the registry put into the address', async () => {
    const { registry, pushBlob } = await setting({
      intercept: (request, response) => {
        if (request.method === 'POST') answer(response, 202, { location: '/v2/x?state=a%2Fb%3D' });
        else if (request.method === 'PUT') answer(response, 201);
        else return false;
        return true;
      },
    });
    await pushBlob();
    const { searchParams } = new URL(registry.lines().at(-1)?.slice(4) ?? '', registry.url);
    expect(Object.fromEntries(searchParams)).toEqual({ state: 'a/b=', digest });
  });

  test.each([
    ['elsewhere', 'https://evil.example/upload', 'ERR_REGISTRY_REDIRECT'],
    ['another port', 'http://127.0.0.1:1/upload', 'ERR_REGISTRY_REDIRECT'],
    ['with another name and password', 'http://user:password@127.0.0.1/', 'ERR_REGISTRY_PROTOCOL'],
  ])('sends nothing %s', async (_, location, code) => {
    const { registry, pushBlob } = await setting({
      intercept: (request, response) => {
        if (request.method !== 'POST') return false;
        answer(response, 202, { location });
        return true;
      },
    });
    expect(await codeOf(pushBlob())).toBe(code);
    expect(registry.blobs.size).toBe(0);
  });

  test('a registry that does not say where to', async () => {
    const { pushBlob } = await setting({
      intercept: (request, response) => {
        if (request.method !== 'POST') return false;
        answer(response, 202);
        return true;
      },
    });
    expect(await codeOf(pushBlob())).toBe('ERR_REGISTRY_PROTOCOL');
  });

  test.each([
    ['is cut', undefined],
    ['fails', 503],
    ['is not known any more', 404],
  ])('an upload that %s is begun anew', async (_, status) => {
    let uploads = 0;
    const { registry, pushBlob } = await setting({
      intercept: (request, response) => {
        if (request.method !== 'PUT') return false;
        uploads += 1;
        if (uploads > 1) return false;
        if (status === undefined) response.destroy();
        else answer(response, status);
        return true;
      },
    });
    await pushBlob();
    expect(registry.blobs.get(digest)).toEqual(content);
    expect(registry.lines().filter((line) => line.startsWith('POST'))).toHaveLength(2);
  });

  test.each([
    [503, 3],
    [400, 1],
    [403, 1],
  ])('an upload that always answers %d is begun %d times', async (status, times) => {
    const { registry, pushBlob } = await setting({
      intercept: (request, response) => {
        if (request.method !== 'PUT') return false;
        answer(response, status);
        return true;
      },
    });
    await expect(pushBlob()).rejects.toMatchObject({ status });
    expect(registry.lines().filter((line) => line.startsWith('POST'))).toHaveLength(times);
  });
});

describe('pushManifest', () => {
  test('under its digest, or a tag', async () => {
    const { registry, client, repository } = await setting();
    expect(await client.pushManifest(repository, manifest, imageType)).toBe(digestOf(manifest));
    expect(await client.pushManifest(repository, manifest, imageType, 'v1')).toBe(digestOf(manifest));
    expect(registry.lines()).toEqual([
      `PUT /v2/a/b/manifests/${digestOf(manifest)}`,
      'PUT /v2/a/b/manifests/v1',
    ]);
    expect(registry.manifests.get('v1')).toEqual({ bytes: manifest, mediaType: imageType });
  });

  test('a registry that stores other bytes', async () => {
    const { client, repository } = await setting({
      intercept: (_, response) => {
        answer(response, 201, { 'docker-content-digest': digestOf(content) });
        return true;
      },
    });
    expect(await codeOf(client.pushManifest(repository, manifest, imageType))).toBe(
      'ERR_REGISTRY_DIGEST_MISMATCH',
    );
  });

  test('a registry that names it by SHA-512', async () => {
    const { client, repository } = await setting({
      intercept: (_, response) => {
        answer(response, 201, { 'docker-content-digest': digestOf(manifest, 'sha512') });
        return true;
      },
    });
    expect(await client.pushManifest(repository, manifest, imageType)).toBe(digestOf(manifest));
  });

  test('what a registry says about a refusal is in the error, quoted', async () => {
    const errors = [{ code: 'MANIFEST_INVALID', message: '\u001b[31mno\n' }];
    const { client, repository } = await setting({
      intercept: (_, response) => {
        answer(response, 400, {}, JSON.stringify({ errors }));
        return true;
      },
    });
    await expect(client.pushManifest(repository, manifest, imageType)).rejects.toMatchObject({
      code: 'ERR_REGISTRY_PROTOCOL',
      message: expect.stringContaining(String.raw`"MANIFEST_INVALID: \u001b[31mno\n"`),
    });
  });
});

test.each([
  ['a digest', digest, digest],
  ['no digest', 'yes', undefined],
  ['a digest in capitals', digest.toUpperCase(), undefined],
])('a registry that names %s as the subject', async (_, said, acceptedSubject) => {
  const { client, repository } = await setting({
    intercept: (_request, response) => {
      answer(response, 201, { 'oci-subject': said });
      return true;
    },
  });
  const session = await client.access.sessionOf(repository.registry);
  const pushed = await putManifest(session, repository, { bytes: manifest, mediaType: imageType }, undefined);
  expect(pushed).toEqual({ digest: digestOf(manifest), acceptedSubject });
});
