// Small images in a test registry, put there without the client that is tested.

import { createHash, randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { TestRegistry } from '../registry.ts';

export const imageMediaType = 'application/vnd.oci.image.manifest.v1+json';
const indexMediaType = 'application/vnd.oci.image.index.v1+json';

export interface Pushed {
  readonly mediaType: string;
  readonly digest: `sha256:${string}`;
  readonly size: number;
}

export interface PushedManifest extends Pushed {
  readonly bytes: Buffer;
  /** `host/repository@sha256:…` */
  readonly reference: string;
}

export interface TestImage {
  readonly repository: string;
  readonly tag?: string;
  /** Layers; one of random bytes unless given, so that no two images are the same. */
  readonly layers?: readonly Uint8Array[];
  readonly architecture?: string;
  readonly subject?: Pushed;
  readonly annotations?: Readonly<Record<string, string>>;
}

function sha256(bytes: Uint8Array): `sha256:${string}` {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** A blob, uploaded in one piece. */
async function pushTestBlob(
  registry: TestRegistry,
  repository: string,
  bytes: Uint8Array,
  mediaType = 'application/octet-stream',
): Promise<Pushed> {
  const digest = sha256(bytes);
  const started = await registry.request('POST', `/v2/${repository}/blobs/uploads/`);
  if (started.status !== 202) throw new Error(`upload: ${started.status} ${started.body}`);
  const location = new URL(String(started.headers['location']), registry.url);
  location.searchParams.set('digest', digest);
  const done = await registry.request('PUT', location.href.slice(location.origin.length), bytes);
  if (done.status !== 201) throw new Error(`blob: ${done.status} ${done.body}`);
  return { mediaType, digest, size: bytes.byteLength };
}

/** Any document, under its digest and, when there is one, a tag. */
async function pushTestManifest(
  registry: TestRegistry,
  repository: string,
  manifest: Uint8Array | object,
  { mediaType = imageMediaType, tag }: { readonly mediaType?: string; readonly tag?: string } = {},
): Promise<PushedManifest> {
  const bytes =
    manifest instanceof Uint8Array ? Buffer.from(manifest) : Buffer.from(JSON.stringify(manifest));
  const digest = sha256(bytes);
  for (const name of tag === undefined ? [digest] : [digest, tag]) {
    const { status, body } = await registry.request(
      'PUT',
      `/v2/${repository}/manifests/${name}`,
      bytes,
      mediaType,
    );
    if (status !== 201) throw new Error(`manifest: ${status} ${body}`);
  }
  const reference = `${registry.host}/${repository}@${digest}`;
  return { mediaType, digest, size: bytes.byteLength, bytes, reference };
}

export async function pushTestImage(registry: TestRegistry, image: TestImage): Promise<PushedManifest> {
  const { repository, architecture = 'amd64' } = image;
  const layers = image.layers ?? [gzipSync(randomBytes(64))];
  const config = Buffer.from(
    JSON.stringify({ architecture, os: 'linux', rootfs: { type: 'layers', diff_ids: layers.map(sha256) } }),
  );
  const manifest = {
    schemaVersion: 2,
    mediaType: imageMediaType,
    config: await pushTestBlob(registry, repository, config, 'application/vnd.oci.image.config.v1+json'),
    layers: await Promise.all(
      layers.map((layer) =>
        pushTestBlob(registry, repository, layer, 'application/vnd.oci.image.layer.v1.tar+gzip'),
      ),
    ),
    ...(image.subject && { subject: image.subject }),
    ...(image.annotations && { annotations: image.annotations }),
  };
  return await pushTestManifest(registry, repository, manifest, {
    ...(image.tag !== undefined && { tag: image.tag }),
  });
}

/** An index of one image for each architecture. */
export async function pushTestIndex(
  registry: TestRegistry,
  {
    repository,
    tag,
    architectures = ['amd64', 'arm64'],
  }: {
    readonly repository: string;
    readonly tag?: string;
    readonly architectures?: readonly string[];
  },
): Promise<PushedManifest & { readonly images: readonly PushedManifest[] }> {
  const images: PushedManifest[] = [];
  for (const architecture of architectures) {
    images.push(await pushTestImage(registry, { repository, architecture }));
  }
  const manifests = images.map(({ mediaType, digest, size }, index) => ({
    ...{ mediaType, digest, size },
    platform: { architecture: architectures[index], os: 'linux' },
  }));
  const index = { schemaVersion: 2, mediaType: indexMediaType, manifests };
  const options = { mediaType: indexMediaType, ...(tag !== undefined && { tag }) };
  return { ...(await pushTestManifest(registry, repository, index, options)), images };
}
