// Indexes and images of repositories in memory.

import type { RegistryClient } from '../../../../src/registry/client.ts';
import { type Digest, digestOf } from '../../../../src/registry/digest.ts';
import { RegistryError } from '../../../../src/registry/errors.ts';
import { parseManifest } from '../../../../src/registry/manifest.ts';
import { ociIndex, ociManifest } from '../../../../src/registry/media-types.ts';
import { repositoryName } from '../../../../src/registry/reference.ts';

const config = {
  mediaType: 'application/vnd.oci.image.config.v1+json',
  digest: digestOf(Buffer.from('{}')),
  size: 2,
};

export class IndexRegistry {
  /** `registry/repository@digest`, in order. */
  readonly asked: string[] = [];
  readonly #content = new Map<string, Buffer>();
  failure: Error | undefined;
  /** How often it was asked by then: it goes away. */
  failAfter: number | undefined;

  /** @param mark makes it another one */
  image(repository: string, mark: string): Digest {
    const annotations = { mark };
    return this.put(repository, { mediaType: ociManifest, config, layers: [], annotations });
  }

  index(repository: string, ...manifests: readonly Digest[]): Digest {
    const listed = manifests.map((digest) => ({ mediaType: this.#typeOf(digest), digest, size: 500 }));
    return this.put(repository, { mediaType: ociIndex, manifests: listed });
  }

  put(repository: string, manifest: object): Digest {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, ...manifest }));
    for (const algorithm of ['sha256', 'sha512'] as const) {
      this.#content.set(`${repository}@${digestOf(bytes, algorithm)}`, bytes);
    }
    return digestOf(bytes);
  }

  bytesOf(repository: string, digest: Digest): Buffer {
    const bytes = this.#content.get(`${repository}@${digest}`);
    if (bytes === undefined) throw new RegistryError('ERR_REGISTRY_NOT_FOUND', `no ${digest}`);
    return bytes;
  }

  remove(repository: string, digest: Digest): void {
    this.#content.delete(`${repository}@${digest}`);
  }

  readonly manifest: RegistryClient['manifest'] = async (repository, digest) => {
    const name = repositoryName(repository);
    this.asked.push(`${name}@${digest}`);
    const isAway = this.failAfter !== undefined && this.asked.length > this.failAfter;
    await Promise.resolve();
    if (isAway) throw new RegistryError('ERR_REGISTRY_UNREACHABLE', 'away');
    if (this.failure !== undefined) throw this.failure;
    const bytes = this.bytesOf(name, digest);
    const { mediaType } = JSON.parse(bytes.toString());
    return { digest, bytes, mediaType, manifest: parseManifest(bytes, mediaType) };
  };

  #typeOf(digest: Digest): string {
    const found = [...this.#content].find(([name]) => name.endsWith(digest))?.[1];
    return found === undefined ? ociManifest : JSON.parse(found.toString()).mediaType;
  }
}
