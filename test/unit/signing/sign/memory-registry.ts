// A registry in memory, of one repository, that is written to: it may keep something else than what it was sent.

import type { Artifact } from '../../../../src/registry/artifact.ts';
import type { RegistryClient } from '../../../../src/registry/client.ts';
import type { Descriptor } from '../../../../src/registry/descriptor.ts';
import { type Digest, digestOf, isDigestOf } from '../../../../src/registry/digest.ts';
import { RegistryError } from '../../../../src/registry/errors.ts';
import { parseManifest } from '../../../../src/registry/manifest.ts';
import { ociIndex, ociManifest } from '../../../../src/registry/media-types.ts';
import { bundleMediaType } from '../../../../src/signing/format/bundle.ts';

interface Stored {
  readonly bytes: Buffer;
  readonly mediaType: string;
}

export class MemoryRegistry {
  readonly manifests = new Map<Digest, Stored>();
  readonly blobs = new Map<Digest, Buffer>();
  /** What the tag names, one after the other when asked again. */
  tags: Digest[] = [];
  /** Of each subject. */
  readonly listed = new Map<Digest, Descriptor[]>();
  /** In order: "resolve", "manifest sha256:…", "referrers sha256:…", "attach sha256:…". */
  readonly asked: string[] = [];
  readonly signals: (AbortSignal | undefined)[] = [];
  /** The artifacts of each writing. */
  readonly written: (readonly Artifact[])[] = [];
  /** What becomes of a manifest that is written under its digest; undefined: nothing, and it is not listed. */
  keep: (bytes: Buffer) => Buffer | undefined = (bytes) => bytes;

  /** A manifest of any content, which is what the tag names from now on. */
  put(document: object, mediaType: string = ociManifest): Descriptor {
    const bytes = Buffer.from(JSON.stringify(document));
    const digest = digestOf(bytes);
    this.manifests.set(digest, { bytes, mediaType });
    this.tags = [digest];
    return { mediaType, digest, size: bytes.length };
  }

  putImage(name: string): Descriptor {
    const config = {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: digestOf(Buffer.from(name)),
    };
    return this.put({ schemaVersion: 2, mediaType: ociManifest, config: { ...config, size: 1 }, layers: [] });
  }

  putIndex(manifests: readonly Descriptor[]): Descriptor {
    return this.put({ schemaVersion: 2, mediaType: ociIndex, manifests }, ociIndex);
  }

  get writes(): readonly string[] {
    return this.asked.filter((each) => each.startsWith('attach'));
  }

  readonly #attach: RegistryClient['attach'] = async (_repository, subject, artifacts, signal) => {
    this.#ask(`attach ${subject.digest}`, signal);
    this.written.push(artifacts);
    const listed = this.listed.get(subject.digest) ?? [];
    this.listed.set(subject.digest, listed);
    return artifacts.map(({ manifest, blobs, artifactType, annotations }) => {
      const digest = digestOf(manifest);
      for (const blob of blobs) this.blobs.set(digestOf(blob), Buffer.from(blob));
      const bytes = this.keep(Buffer.from(manifest));
      if (bytes === undefined) return digest;
      this.manifests.set(digest, { bytes, mediaType: ociManifest });
      listed.push({ mediaType: ociManifest, digest, size: bytes.length, artifactType, annotations });
      return digest;
    });
  };

  /** Something that says it is a bundle. */
  list(subject: Digest, manifest: Descriptor): void {
    const listed = [...(this.listed.get(subject) ?? []), { ...manifest, artifactType: bundleMediaType }];
    this.listed.set(subject, listed);
  }

  #ask(what: string, signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    this.asked.push(what);
    this.signals.push(signal);
  }

  get client(): RegistryClient {
    return {
      resolve: async ({ digest: given }, signal) => {
        this.#ask('resolve', signal);
        const [digest = given, ...others] = given === undefined ? this.tags : [given];
        if (given === undefined && others.length > 0) this.tags = others;
        const stored = digest && this.manifests.get(digest);
        if (!stored) throw new RegistryError('ERR_REGISTRY_NOT_FOUND', 'there is no such image');
        return { mediaType: stored.mediaType, digest, size: stored.bytes.length };
      },
      manifest: async (_repository, digest, signal) => {
        this.#ask(`manifest ${digest}`, signal);
        const stored = this.manifests.get(digest);
        if (stored === undefined) throw new RegistryError('ERR_REGISTRY_NOT_FOUND', `there is no ${digest}`);
        const { bytes, mediaType } = stored;
        if (!isDigestOf(digest, bytes))
          throw new RegistryError('ERR_REGISTRY_DIGEST_MISMATCH', 'other bytes');
        return { digest, bytes, mediaType, manifest: parseManifest(bytes, mediaType) };
      },
      referrers: async (_repository, subject, signal) => {
        this.#ask(`referrers ${subject}`, signal);
        return { descriptors: [...(this.listed.get(subject) ?? [])], source: 'api' };
      },
      blob: async (_repository, { digest, data }, _maxBytes, signal) => {
        signal?.throwIfAborted();
        const bytes = data === undefined ? this.blobs.get(digest) : Buffer.from(data, 'base64');
        if (bytes === undefined) throw new RegistryError('ERR_REGISTRY_NOT_FOUND', `there is no ${digest}`);
        return bytes;
      },
      attach: this.#attach,
      pushBlob: unused,
      pushManifest: unused,
      requests: () => this.asked.length,
      close: async () => {},
    };
  }
}

function unused(): never {
  throw new Error('signing attaches, and writes nothing else');
}
