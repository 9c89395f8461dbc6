// A registry in memory, of one repository: what it lists and what it has need not agree.

import type { RegistryClient } from '../../../../src/registry/client.ts';
import type { Descriptor } from '../../../../src/registry/descriptor.ts';
import { type Digest, digestOf } from '../../../../src/registry/digest.ts';
import { RegistryError } from '../../../../src/registry/errors.ts';
import { parseManifest } from '../../../../src/registry/manifest.ts';
import { ociManifest } from '../../../../src/registry/media-types.ts';
import type { ImageReference } from '../../../../src/registry/reference.ts';
import { bundleMediaType } from '../../../../src/signing/format/bundle.ts';
import { referrerManifest } from '../../../../src/signing/format/referrer.ts';
import { signPredicateType } from '../../../../src/signing/format/statement.ts';
import { digest, now } from './support.ts';

type Answer = Buffer | RegistryError | Promise<never>;

export class FakeRegistry {
  /** What the image's list of referrers says. */
  readonly listed: Descriptor[] = [];
  readonly manifests = new Map<Digest, Answer>();
  readonly blobs = new Map<Digest, Answer>();
  /** What tags name, one after the other when asked again. */
  tags: Digest[] = [digest];
  listError: RegistryError | undefined;
  /** In order: "resolve", "referrers", "manifest sha256:…", "blob sha256:…". */
  readonly asked: string[] = [];
  #underWay = 0;
  mostUnderWay = 0;

  /** Hangs a bundle on the image, as trellis sign does. */
  attach(bundle: Uint8Array, changes: AttachChanges = {}): Descriptor {
    const { predicateType = signPredicateType, subject = digest, edit, descriptor = {} } = changes;
    const size = 1000;
    const made = referrerManifest({
      subject: { mediaType: ociManifest, digest: subject, size },
      bundle,
      predicateType,
      created: now,
    });
    const document = JSON.parse(Buffer.from(made.manifest).toString());
    edit?.(document);
    for (const blob of made.blobs) this.blobs.set(digestOf(blob), Buffer.from(blob));
    return this.put(Buffer.from(JSON.stringify(document)), descriptor);
  }

  /** A manifest of any content, and its entry in the list. */
  put(bytes: Buffer, changes: Partial<Descriptor> = {}): Descriptor {
    const listed: Descriptor = {
      mediaType: ociManifest,
      digest: digestOf(bytes),
      size: bytes.length,
      artifactType: bundleMediaType,
      ...changes,
    };
    this.manifests.set(listed.digest, bytes);
    this.listed.push(listed);
    return listed;
  }

  readonly resolve: RegistryClient['resolve'] = async (_reference: ImageReference) => {
    this.asked.push('resolve');
    const [first, ...others] = this.tags;
    if (first === undefined) throw new RegistryError('ERR_REGISTRY_NOT_FOUND', 'no such tag');
    if (others.length > 0) this.tags = others;
    return { mediaType: ociManifest, digest: first, size: 1000 };
  };

  readonly referrers: RegistryClient['referrers'] = async (_repository, subject) => {
    this.asked.push(`referrers ${subject}`);
    if (this.listError !== undefined) throw this.listError;
    return { descriptors: this.listed, source: 'api' };
  };

  manifest: RegistryClient['manifest'] = async (_repository, wanted) => {
    const bytes = await this.#answer('manifest', this.manifests, wanted);
    return { digest: wanted, bytes, mediaType: ociManifest, manifest: parseManifest(bytes, ociManifest) };
  };

  readonly blob: RegistryClient['blob'] = async (_repository, descriptor, maxBytes) => {
    if (descriptor.data !== undefined) return Buffer.from(descriptor.data, 'base64');
    const bytes = await this.#answer('blob', this.blobs, descriptor.digest);
    if (bytes.length > maxBytes) throw new RegistryError('ERR_REGISTRY_TOO_LARGE', 'the blob is too large');
    return bytes;
  };

  async #answer(kind: string, from: ReadonlyMap<Digest, Answer>, wanted: Digest): Promise<Buffer> {
    this.asked.push(`${kind} ${wanted}`);
    this.#underWay += 1;
    this.mostUnderWay = Math.max(this.mostUnderWay, this.#underWay);
    await Promise.resolve();
    this.#underWay -= 1;
    const answer = await from.get(wanted);
    if (answer === undefined) throw new RegistryError('ERR_REGISTRY_NOT_FOUND', `no ${kind} ${wanted}`);
    if (answer instanceof RegistryError) throw answer;
    return answer;
  }

  readonly requests = () => this.asked.length;
  readonly close = async () => {};
  readonly pushBlob = async () => unused();
  readonly pushManifest = async () => unused();

  /** What a verifier may use of it. */
  get client(): RegistryClient {
    const { resolve, referrers, manifest, blob, requests, close, pushBlob, pushManifest } = this;
    return { resolve, referrers, manifest, blob, requests, close, pushBlob, pushManifest, attach: unused };
  }
}

export interface AttachChanges {
  readonly predicateType?: string;
  /** Of the manifest. */
  readonly subject?: Digest;
  /** Of the manifest's JSON, before it is written. */
  readonly edit?: (manifest: Record<string, unknown>) => void;
  /** Of the entry in the list. */
  readonly descriptor?: Partial<Descriptor>;
}

function unused(): never {
  throw new Error('a verifier writes nothing');
}
