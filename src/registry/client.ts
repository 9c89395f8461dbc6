// What Trellis asks of a registry (OCI distribution specification 1.1).

import type { Artifact, Referrers } from './artifact.ts';
import { attachArtifacts } from './attach.ts';
import { anonymous, type CredentialSource } from './auth/credentials.ts';
import type { Descriptor } from './descriptor.ts';
import type { Digest } from './digest.ts';
import { RegistryError } from './errors.ts';
import type { RetryRules } from './http/retry.ts';
import { createKeyedLock } from './keyed-lock.ts';
import type { RegistryLimits } from './limits.ts';
import type { FetchedManifest } from './manifest.ts';
import { fromFirst, placesOf, referrersOf } from './mirrors.ts';
import type { RegistryOptions } from './options.ts';
import { inlineContent, pullBlob, pullManifest, pullTag } from './pull.ts';
import { pushBytes, putManifest } from './push.ts';
import { type ImageReference, type Repository, repositoryName } from './reference.ts';
import { listReferrers } from './referrers.ts';
import type { Session } from './session.ts';
import { createSessions, type SessionOf } from './sessions.ts';
import { createRegistryTransport, type RegistryTransport } from './transport.ts';

export interface RegistryClient {
  /**
   * What the reference names now: one request for the manifest, whose bytes tell digest, size and media type. With a
   * digest it is asked for as well; who needs neither size nor media type takes `ref.digest` and saves the request.
   */
  resolve(ref: ImageReference, signal?: AbortSignal): Promise<Descriptor>;
  /**
   * The manifest or index of that digest, checked against it.
   * @param maxBytes where less is allowed than the limits of the client say; of more, no more than that is read
   */
  manifest(
    repository: Repository,
    digest: Digest,
    signal?: AbortSignal,
    maxBytes?: number,
  ): Promise<FetchedManifest>;
  /** The content, checked against digest and size; inline `data` needs no request. */
  blob(
    repository: Repository,
    descriptor: Descriptor,
    maxBytes: number,
    signal?: AbortSignal,
  ): Promise<Buffer>;
  /**
   * Everything that names `subject` as its subject, as far as the registry says: each entry is to be read and checked.
   * Only a 404 of the referrers API leads to the tag; a failure is never an empty list.
   * A mirror's list may be old: where one is not empty, the origin is asked as well, and both lists are taken together. An
   * origin that fails, or does not answer within `originListMs`, leaves the mirror's.
   */
  referrers(repository: Repository, subject: Digest, signal?: AbortSignal): Promise<Referrers>;
  /** Nothing is sent when the registry has it already. */
  pushBlob(repository: Repository, bytes: Uint8Array, signal?: AbortSignal): Promise<Descriptor>;
  pushManifest(
    repository: Repository,
    bytes: Uint8Array,
    mediaType: string,
    tag?: string,
    signal?: AbortSignal,
  ): Promise<Digest>;
  /**
   * Pushes artifacts of one subject. Where the registry does not say that it keeps the list of referrers (no OCI-Subject
   * in its answer), one update of the fallback index carries all of them; it is read again afterwards, and made again
   * when a concurrent writer has dropped one.
   */
  attach(
    repository: Repository,
    subject: Descriptor,
    artifacts: readonly Artifact[],
    signal?: AbortSignal,
  ): Promise<readonly Digest[]>;
  /** How many HTTP requests were sent so far. */
  requests(): number;
  /** Closes connections that are open; requests still under way fail. */
  close(): Promise<void>;
}

/** Reads from the first place that has it: the mirrors of a registry, then itself. */
type Read = <T>(
  repository: Repository,
  pull: (session: Session, place: Repository) => Promise<T>,
  signal: AbortSignal | undefined,
) => Promise<T>;

/** A client and what it is made of, for other ways of using it. */
export interface RegistryAccess {
  readonly client: RegistryClient;
  readonly limits: RegistryLimits;
  readonly retry: RetryRules;
  readonly sessionOf: SessionOf;
  readonly read: Read;
}

/** Nothing is connected to before the first request. @throws RegistryError ERR_REGISTRY_CONFIGURATION, ERR_REFERENCE_INVALID */
export function createRegistryClient(options: RegistryOptions = {}): RegistryClient {
  return createRegistryAccess(options).client;
}

/** @throws RegistryError ERR_REGISTRY_CONFIGURATION, ERR_REFERENCE_INVALID */
export function createRegistryAccess(options: RegistryOptions = {}): RegistryAccess {
  return registryAccess(createRegistryTransport(options), options.credentials ?? anonymous);
}

/**
 * One of any number that share a transport, each with credentials of its own: what one of them is let in by, no other one sends.
 * Its `requests` and `close` are the transport's.
 */
export function registryAccess(transport: RegistryTransport, credentials: CredentialSource): RegistryAccess {
  const { limits, retry, mirrors } = transport;
  const sessionOf = createSessions({ ...transport, credentials });
  const lock = createKeyedLock();

  const read: Read = async (repository, pull, signal) =>
    await fromFirst(
      placesOf(repository, mirrors),
      async (place) => await pull(await sessionOf(place.registry, signal), place),
    );

  const client: RegistryClient = {
    resolve: (ref, signal) =>
      read(
        ref,
        async (session, place) => {
          const { tag = 'latest', digest } = ref;
          const found =
            digest === undefined
              ? await pullTag(session, place, tag, limits.manifest, signal)
              : await pullManifest(session, place, digest, limits.manifest, signal);
          return { mediaType: found.mediaType, digest: found.digest, size: found.bytes.byteLength };
        },
        signal,
      ),
    manifest: (repository, digest, signal, maxBytes = limits.manifest.maxBytes) => {
      const lower = { ...limits.manifest, maxBytes: Math.min(maxBytes, limits.manifest.maxBytes) };
      return read(
        repository,
        (session, place) => pullManifest(session, place, digest, lower, signal),
        signal,
      );
    },
    blob: async (repository, descriptor, maxBytes, signal) => {
      if (descriptor.size > maxBytes) throw tooLarge(descriptor, maxBytes);
      const inline = inlineContent(descriptor);
      if (inline !== undefined) return inline;
      return await read(repository, (session, place) => pullBlob(session, place, descriptor, signal), signal);
    },
    referrers: async (repository, subject, signal) => {
      const list = async (place: Repository, until: AbortSignal | undefined) =>
        await listReferrers(await sessionOf(place.registry, until), place, subject, limits, until);
      const places = placesOf(repository, mirrors);
      return await referrersOf(places, list, limits.originListMs, signal);
    },
    pushBlob: async (repository, bytes, signal) =>
      await pushBytes(await sessionOf(repository.registry, signal), repository, bytes, signal),
    pushManifest: async (repository, bytes, mediaType, tag, signal) => {
      const session = await sessionOf(repository.registry, signal);
      return (await putManifest(session, repository, { bytes, mediaType }, tag, signal)).digest;
    },
    attach: async (repository, subject, artifacts, signal) => {
      const session = await sessionOf(repository.registry, signal);
      const attaching = { session, repository, subject: subject.digest, limits, pause: retry };
      // Our own writers need not fight each other for the tag.
      const key = `${repositoryName(repository)}@${subject.digest}`;
      return await lock(key, () => attachArtifacts(attaching, artifacts, signal));
    },
    requests: () => transport.requests(),
    close: () => transport.close(),
  };
  return { client, limits, retry, sessionOf, read };
}

function tooLarge({ digest, size }: Descriptor, maxBytes: number): RegistryError {
  return new RegistryError(
    'ERR_REGISTRY_TOO_LARGE',
    `${digest} has ${size} bytes, where ${maxBytes} are allowed`,
  );
}
