// The client and real registries: distribution, which has no referrers API, and go-containerregistry's, which has.

import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Artifact } from '../../src/registry/artifact.ts';
import { type Digest, digestOf } from '../../src/registry/digest.ts';
import { imageMediaType, type Pushed, pushTestImage, pushTestIndex } from '../support/registry/images.ts';
import { startRegistry, type TestRegistry, testAccount } from '../support/registry.ts';
import { accessTo, everyRegistry, referenceOn, repositoryOn } from './support.ts';

const empty = Buffer.from('{}');

function artifactOf(subject: Pushed, name: string): Artifact {
  const payload = Buffer.from(`about it: ${name}`);
  const manifest = {
    schemaVersion: 2,
    mediaType: imageMediaType,
    artifactType: 'application/x-test',
    config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf(empty), size: 2 },
    layers: [{ mediaType: 'application/x-test', digest: digestOf(payload), size: payload.byteLength }],
    subject,
    annotations: { name },
  };
  return {
    manifest: Buffer.from(JSON.stringify(manifest)),
    blobs: [empty, payload],
    artifactType: 'application/x-test',
    annotations: { name },
  };
}

const digestsOf = (list: readonly { readonly digest: Digest }[]): readonly Digest[] =>
  list.map(({ digest }) => digest).sort();

describe.each(everyRegistry)('%s', (_, options) => {
  test('is read and written', async () => {
    const registry = await startRegistry(options);
    const { client } = accessTo([registry]);
    const repository = repositoryOn(registry);
    const index = await pushTestIndex(registry, { repository: 'a/b', tag: 'v1' });

    const resolved = await client.resolve(referenceOn(registry, 'a/b:v1'));
    expect(resolved).toEqual({ mediaType: index.mediaType, digest: index.digest, size: index.size });
    const { manifest } = await client.manifest(repository, resolved.digest);
    expect(manifest).toMatchObject({
      kind: 'index',
      manifests: index.images.map(({ digest }) => ({ digest })),
    });
    const [image] = index.images;
    if (image === undefined) throw new Error('an index without images');
    const fetched = await client.manifest(repository, image.digest);
    expect(fetched.bytes).toEqual(image.bytes);
    if (fetched.manifest.kind !== 'image') throw new Error('an image that is none');
    const config = await client.blob(repository, fetched.manifest.config, 10_000);
    expect(JSON.parse(String(config))).toMatchObject({ architecture: 'amd64' });

    const blob = randomBytes(100_000);
    const descriptor = await client.pushBlob(repository, blob);
    expect(await client.blob(repository, descriptor, 100_000)).toEqual(blob);
    expect(await client.pushManifest(repository, image.bytes, image.mediaType, 'v2')).toBe(image.digest);
    expect(await client.resolve(referenceOn(registry, 'a/b:v2'))).toMatchObject({ digest: image.digest });
  });

  test('lists what is attached', async () => {
    const registry = await startRegistry(options);
    const { client } = accessTo([registry]);
    const repository = repositoryOn(registry);
    const subject = await pushTestImage(registry, { repository: 'a/b' });
    const { mediaType, digest, size } = subject;

    expect((await client.referrers(repository, digest)).descriptors).toEqual([]);
    const artifacts = ['one', 'two'].map((name) => artifactOf({ mediaType, digest, size }, name));
    const attached = await client.attach(repository, { mediaType, digest, size }, artifacts);
    expect(attached).toEqual(artifacts.map(({ manifest }) => digestOf(manifest)));

    const listed = await client.referrers(repository, digest);
    expect(listed.source).toBe(options.kind === 'ggcr' ? 'api' : 'tag');
    expect(digestsOf(listed.descriptors)).toEqual([...attached].sort());
    for (const each of attached) {
      const { manifest } = await client.manifest(repository, each);
      expect(manifest).toMatchObject({ subject: { digest }, artifactType: 'application/x-test' });
    }
    // Once more changes nothing.
    await client.attach(repository, { mediaType, digest, size }, artifacts);
    const again = await client.referrers(repository, digest);
    expect(digestsOf(again.descriptors)).toEqual(digestsOf(listed.descriptors));
  });

  test('loses nothing when many attach at the same time', async () => {
    const registry = await startRegistry(options);
    const { mediaType, digest, size } = await pushTestImage(registry, { repository: 'a/b' });
    const subject = { mediaType, digest, size };
    // Clients that know nothing of each other, as different CI jobs do not.
    const attached = await Promise.all(
      ['a', 'b', 'c', 'd'].map(async (name) => {
        const { client } = accessTo([registry]);
        const two = [artifactOf(subject, `${name}1`), artifactOf(subject, `${name}2`)];
        return await client.attach(repositoryOn(registry), subject, two);
      }),
    );
    const listed = await accessTo([registry]).client.referrers(repositoryOn(registry), digest);
    expect(digestsOf(listed.descriptors)).toEqual(attached.flat().sort());
  });
});

describe.each(everyRegistry.filter(([, { auth }]) => auth !== undefined))('%s', (_, options) => {
  const anonymous = { credentials: async () => undefined };
  const wrong = {
    credentials: async () => ({ kind: 'password', username: testAccount.user, password: 'wrong' }) as const,
  };

  test.each([
    ['no', anonymous],
    ['wrong', wrong],
  ])('takes %s credentials for an error that says to log in', async (_name, credentials) => {
    const registry = await startRegistry(options);
    const { digest } = await pushTestImage(registry, { repository: 'a/b' });
    const { client } = accessTo([registry], credentials);
    await expect(client.manifest(repositoryOn(registry), digest)).rejects.toMatchObject({
      code: 'ERR_REGISTRY_UNAUTHORIZED',
      message: expect.not.stringContaining('wrong'),
    });
    await expect(client.pushBlob(repositoryOn(registry), empty)).rejects.toMatchObject({
      code: 'ERR_REGISTRY_UNAUTHORIZED',
    });
  });
});

describe.each(everyRegistry.filter(([, { auth }]) => auth === 'bearer'))('%s', (_, options) => {
  test('takes an identity token', async () => {
    const registry = await startRegistry(options);
    const { digest } = await pushTestImage(registry, { repository: 'a/b' });
    const { client } = accessTo([registry], {
      credentials: async () => ({ kind: 'identity-token', token: testAccount.identityToken }),
    });
    expect((await client.manifest(repositoryOn(registry), digest)).digest).toBe(digest);
  });
});

describe.each(everyRegistry.filter(([, { tls, auth }]) => tls === true && auth === undefined))(
  '%s',
  (_, options) => {
    test('is not spoken to when its CA is not given', async () => {
      const registry = await startRegistry(options);
      const { client } = accessTo([{ ...registry, ca: undefined } satisfies TestRegistry]);
      await expect(client.resolve(referenceOn(registry, 'a/b:v1'))).rejects.toMatchObject({
        code: 'ERR_REGISTRY_CERTIFICATE',
      });
    });
  },
);

describe.each(everyRegistry.filter(([, { tls, auth }]) => tls === false && auth === undefined))(
  '%s',
  (_, options) => {
    test('says what is not there', async () => {
      const registry = await startRegistry(options);
      const { client } = accessTo([registry]);
      const missing = digestOf(Buffer.from('missing'));
      const notFound = { code: 'ERR_REGISTRY_NOT_FOUND', status: 404 };
      await expect(client.resolve(referenceOn(registry, 'a/b:v1'))).rejects.toMatchObject(notFound);
      await expect(client.manifest(repositoryOn(registry), missing)).rejects.toMatchObject(notFound);
      const blob = { mediaType: 'application/octet-stream', digest: missing, size: 7 };
      await expect(client.blob(repositoryOn(registry), blob, 100)).rejects.toMatchObject(notFound);
      expect((await client.referrers(repositoryOn(registry), missing)).descriptors).toEqual([]);
    });

    test('asks for a manifest by its digest in one request, and for referrers in one or two', async () => {
      const registry = await startRegistry(options);
      const { digest } = await pushTestImage(registry, { repository: 'a/b' });
      const { client } = accessTo([registry]);
      await client.manifest(repositoryOn(registry), digest);
      expect(client.requests()).toBe(1);
      await client.referrers(repositoryOn(registry), digest);
      expect(client.requests()).toBe(options.kind === 'ggcr' ? 2 : 3);
    });
  },
);
