// From an entry in the list of referrers to a bundle, or why there is none.
//
// Junk must not deny a good image, and a failing registry must not pass for an unsigned one: what is certainly no good
// bundle becomes a line of the report; where the registry failed the error is kept, and thrown unless the rest suffices.

import type { RegistryClient } from '../../registry/client.ts';
import type { Descriptor } from '../../registry/descriptor.ts';
import type { Digest } from '../../registry/digest.ts';
import { RegistryError, type RegistryErrorCode } from '../../registry/errors.ts';
import type { Repository } from '../../registry/reference.ts';
import { SigningError } from '../errors.ts';
import { parseBundle } from '../format/bundle.ts';
import { readReferrer } from '../format/referrer.ts';
import type { FoundBundle, UnreadCode, UnreadReferrer } from './found.ts';
import type { VerificationLimits } from './limits.ts';

/** Where the bundles of one image are, and how much may be read of them. */
export class BundleSource {
  readonly #client: RegistryClient;
  readonly #repository: Repository;
  readonly #subject: Digest;
  readonly #limits: VerificationLimits;
  readonly #maxBundleBytes: number;
  #attestationBytesLeft: number;
  /** Ends when the large bundles that were asked for so far have come. */
  #large: Promise<unknown> = Promise.resolve();

  constructor(
    client: RegistryClient,
    image: { readonly repository: Repository; readonly digest: Digest },
    limits: VerificationLimits,
    wantsAttestations: boolean,
  ) {
    this.#client = client;
    this.#repository = image.repository;
    this.#subject = image.digest;
    this.#limits = limits;
    this.#maxBundleBytes = wantsAttestations
      ? Math.max(limits.maxAttestationBundleBytes, limits.maxSignatureBundleBytes)
      : limits.maxSignatureBundleBytes;
    this.#attestationBytesLeft = limits.maxAttestationBytes;
  }

  /** @throws the signal's reason, and what is neither RegistryError nor SigningError */
  async fetch(listed: Descriptor, signal: AbortSignal): Promise<FoundBundle> {
    try {
      return await this.#read(listed, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof RegistryError)) throw error;
      const known = certain.get(error.code);
      if (known !== undefined) return unread(listed.digest, known, error.message);
      return { ...unread(listed.digest, 'unavailable', error.message), error };
    }
  }

  async #read(listed: Descriptor, signal: AbortSignal): Promise<FoundBundle> {
    const { digest } = listed;
    const { maxManifestBytes } = this.#limits;
    if (listed.size > maxManifestBytes) return manifestTooLarge(digest, listed.size, maxManifestBytes);
    const fetched = await this.#client.manifest(this.#repository, digest, signal, maxManifestBytes);
    // The list may have said otherwise.
    if (fetched.bytes.length > maxManifestBytes) {
      return manifestTooLarge(digest, fetched.bytes.length, maxManifestBytes);
    }
    const reading = readReferrer(fetched, this.#subject);
    if (reading.kind !== 'bundle') return unread(digest, reading.kind, reading.reason);
    const { layer } = reading;
    const { maxSignatureBundleBytes } = this.#limits;
    if (layer.size <= maxSignatureBundleBytes) {
      return this.#parse(
        digest,
        await this.#client.blob(this.#repository, layer, this.#maxBundleBytes, signal),
      );
    }
    return await this.#oneAfterTheOther(() => this.#readLarge(digest, layer, signal));
  }

  /** What a bundle takes from the rest is known when it has come: a manifest can declare any size. */
  async #oneAfterTheOther<T>(read: () => Promise<T>): Promise<T> {
    const reading = this.#large.then(read);
    this.#large = reading.catch(() => {});
    return await reading;
  }

  async #readLarge(manifest: Digest, layer: Descriptor, signal: AbortSignal): Promise<FoundBundle> {
    const limit = this.#limitReached(layer.size);
    if (limit !== undefined) return unread(manifest, 'over-limit', limit, layer.size);
    try {
      const bytes = await this.#client.blob(this.#repository, layer, this.#maxBundleBytes, signal);
      this.#attestationBytesLeft -= bytes.length;
      return this.#parse(manifest, bytes);
    } catch (error) {
      // Bytes that were not what was declared have come all the same.
      if (error instanceof RegistryError) this.#attestationBytesLeft -= error.receivedBytes;
      throw error;
    }
  }

  #parse(manifest: Digest, bytes: Buffer): FoundBundle {
    const size = bytes.length;
    try {
      return { kind: 'bundle', manifest, size, bundle: parseBundle(bytes, this.#maxBundleBytes) };
    } catch (error) {
      if (!(error instanceof SigningError)) throw error;
      return unread(manifest, 'bundle-invalid', error.message, size);
    }
  }

  /** Why so many bytes more may not be read. */
  #limitReached(size: number): string | undefined {
    const { maxSignatureBundleBytes, maxAttestationBytes } = this.#limits;
    if (size > this.#maxBundleBytes) {
      return `its bundle has ${size} bytes, more than ${this.#maxBundleBytes} (${
        this.#maxBundleBytes === maxSignatureBundleBytes
          ? 'maxSignatureBundleBytes'
          : 'maxAttestationBundleBytes'
      })`;
    }
    if (size > this.#attestationBytesLeft) {
      return `the attestations read before it have almost ${maxAttestationBytes} bytes, which is the limit (maxAttestationBytes); remove junk from the repository`;
    }
    return undefined;
  }
}

/** Errors after which asking again would give the same. All others may hide a good signature. */
const certain: ReadonlyMap<RegistryErrorCode, UnreadCode> = new Map([
  // Anyone who may push can list what is not there.
  ['ERR_REGISTRY_NOT_FOUND', 'missing'],
  ['ERR_MANIFEST_INVALID', 'malformed'],
  ['ERR_JSON_INVALID', 'malformed'],
  ['ERR_DIGEST_INVALID', 'malformed'],
  ['ERR_REGISTRY_DIGEST_MISMATCH', 'malformed'],
  ['ERR_REGISTRY_PROTOCOL', 'malformed'],
  ['ERR_REGISTRY_TOO_LARGE', 'over-limit'],
]);

function manifestTooLarge(manifest: Digest, size: number, max: number): UnreadReferrer {
  return unread(
    manifest,
    'over-limit',
    `its manifest has ${size} bytes, more than ${max} (maxManifestBytes)`,
  );
}

function unread(manifest: Digest, code: UnreadCode, reason: string, size?: number): UnreadReferrer {
  return { kind: 'unread', manifest, size, code, reason };
}
