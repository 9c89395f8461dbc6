// Small images in a registry.

import { createHash, randomBytes } from 'node:crypto';
import { createRegistryClient, type RegistryClient } from '../../src/registry/client.ts';
import { parseReference } from '../../src/registry/reference.ts';

const mediaType = 'application/vnd.oci.image.manifest.v1+json';

/**
 * One image for each repository that is named, told apart by a random layer.
 * @param host of a registry without TLS
 * @returns references by digest
 */
export async function pushImages(host: string, repositories: readonly string[]): Promise<readonly string[]> {
  return await withClient(host, async (client) => {
    const images: string[] = [];
    for (const path of repositories) images.push(await pushImage(client, { registry: host, path }));
    return images;
  });
}

async function pushImage(
  client: RegistryClient,
  repository: { readonly registry: string; readonly path: string },
): Promise<string> {
  const blobs = [Buffer.from('{}'), randomBytes(64)];
  const [config, layer] = blobs.map((bytes) => ({
    mediaType: 'application/octet-stream',
    digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
    size: bytes.length,
  }));
  for (const blob of blobs) await client.pushBlob(repository, blob);
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [layer] }));
  const digest = await client.pushManifest(repository, manifest, mediaType);
  return `${repository.registry}/${repository.path}@${digest}`;
}

/**
 * The manifest of an image and of what is attached to it, in other repositories of its registry, which must not care for the blobs.
 * @param image by digest
 * @returns references by digest
 */
export async function copyImage(image: string, repositories: readonly string[]): Promise<readonly string[]> {
  const { digest, registry, path } = parseReference(image);
  if (digest === undefined) throw new Error(`${image} has no digest`);
  return await withClient(registry, async (client) => {
    const source = { registry, path };
    const { descriptors } = await client.referrers(source, digest);
    const digests = [digest, ...descriptors.map((descriptor) => descriptor.digest)];
    const manifests = await Promise.all(digests.map((each) => client.manifest(source, each)));
    for (const copy of repositories) {
      for (const { bytes, mediaType } of manifests) {
        await client.pushManifest({ registry, path: copy }, bytes, mediaType);
      }
    }
    return repositories.map((copy) => `${registry}/${copy}@${digest}`);
  });
}

/** Told that there is no TLS, or it would try that first. */
async function withClient<T>(host: string, work: (client: RegistryClient) => Promise<T>): Promise<T> {
  const client = createRegistryClient({ plainHttp: [host] });
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}
