// Writing blobs and manifests (OCI distribution specification, "Pushing").

import type { Descriptor } from './descriptor.ts';
import { algorithmOf, type Digest, digestOf, isDigest } from './digest.ts';
import { RegistryError } from './errors.ts';
import type { StreamBody } from './http/exchange.ts';
import { acceptedManifests } from './media-types.ts';
import type { Repository } from './reference.ts';
import { pullScope, pushScope } from './scopes.ts';
import type { Session } from './session.ts';

/** What answers to writing requests say is not read. */
const maxAnswerBytes = 64 * 1024;

/** A session of uploading may end between its two requests: begun anew, it works. */
const maxUploads = 3;

const plainBytes = 'application/octet-stream';

export async function hasBlob(
  session: Session,
  repository: Repository,
  digest: Digest,
  signal?: AbortSignal,
): Promise<boolean> {
  return await exists(session, repository, `blobs/${digest}`, signal);
}

export async function hasManifest(
  session: Session,
  repository: Repository,
  digest: Digest,
  signal?: AbortSignal,
): Promise<boolean> {
  return await exists(session, repository, `manifests/${digest}`, signal);
}

async function exists(
  session: Session,
  repository: Repository,
  what: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const { status } = await session.send(
    {
      method: 'HEAD',
      target: `${repository.path}/${what}`,
      repository,
      // Who asks is about to push: one token for both.
      scopes: [pushScope(repository)],
      // distribution has no manifest for who does not name its type.
      headers: { accept: `${acceptedManifests}, */*` },
      expected: [200, 404],
      maxBytes: 0,
    },
    signal,
  );
  return status === 200;
}

/** Uploads what is not there yet. @throws RegistryError */
export async function pushBytes(
  session: Session,
  repository: Repository,
  bytes: Uint8Array,
  signal?: AbortSignal,
): Promise<Descriptor> {
  const digest = digestOf(bytes);
  const descriptor = { mediaType: plainBytes, digest, size: bytes.byteLength };
  if (await hasBlob(session, repository, digest, signal)) return descriptor;
  await uploadBlob(session, repository, digest, async () => bytes, undefined, signal);
  return descriptor;
}

/**
 * Uploads a blob in one piece, or has the registry take it from another repository of its own.
 * @param open gives the content anew for every attempt
 * @param from a repository of the same registry that has the blob
 * @returns whether bytes were sent @throws RegistryError
 */
export async function uploadBlob(
  session: Session,
  repository: Repository,
  digest: Digest,
  open: () => Promise<Uint8Array | StreamBody>,
  from: Repository | undefined,
  signal?: AbortSignal,
): Promise<boolean> {
  for (let upload = 1; ; upload += 1) {
    try {
      const location = await startUpload(session, repository, digest, from, signal);
      if (location === undefined) return false;
      await finishUpload(session, repository, location, digest, await open(), signal);
      return true;
    } catch (error) {
      if (upload === maxUploads || !isWorthAnother(error)) throw error;
    }
  }
}

/** The connection was cut, the server failed, or the session is not known any more. */
function isWorthAnother(error: unknown): boolean {
  if (!(error instanceof RegistryError)) return false;
  return error.code === 'ERR_REGISTRY_UNREACHABLE' || error.code === 'ERR_REGISTRY_NOT_FOUND';
}

/** Where the content goes; undefined when the registry has it now. */
async function startUpload(
  session: Session,
  repository: Repository,
  digest: Digest,
  from: Repository | undefined,
  signal: AbortSignal | undefined,
): Promise<URL | undefined> {
  const mount = from && new URLSearchParams({ mount: digest, from: from.path });
  const reply = await session.send(
    {
      method: 'POST',
      target: `${repository.path}/blobs/uploads/${mount === undefined ? '' : `?${mount}`}`,
      repository,
      scopes: [pushScope(repository), ...(from === undefined ? [] : [pullScope(from)])],
      // Without a body there would be no Content-Length, which some servers want.
      body: new Uint8Array(),
      expected: mount === undefined ? [202] : [201, 202],
      maxBytes: maxAnswerBytes,
    },
    signal,
  );
  return reply.status === 201 ? undefined : uploadUrl(session, reply.url, reply.header('location'));
}

/** @throws RegistryError ERR_REGISTRY_REDIRECT when content and credentials would go elsewhere */
function uploadUrl(session: Session, asked: URL, location: string | undefined): URL {
  const url = location === undefined ? null : URL.parse(location, asked);
  if (url === null || url.username !== '' || url.password !== '') {
    throw new RegistryError('ERR_REGISTRY_PROTOCOL', `${session.base.host} does not say where to upload to`);
  }
  if (url.origin === session.base.origin) return url;
  throw new RegistryError(
    'ERR_REGISTRY_REDIRECT',
    `${session.base.host} wants uploads sent to ${url.protocol}//${url.host}: nothing is sent there. Behind a proxy, the registry must be told its own address`,
  );
}

async function finishUpload(
  session: Session,
  repository: Repository,
  location: URL,
  digest: Digest,
  body: Uint8Array | StreamBody,
  signal: AbortSignal | undefined,
): Promise<void> {
  location.searchParams.set('digest', digest);
  await session.send(
    {
      method: 'PUT',
      target: location,
      repository,
      scopes: [pushScope(repository)],
      headers: { 'content-type': plainBytes },
      body,
      expected: [201],
      maxBytes: maxAnswerBytes,
      again: false,
    },
    signal,
  );
}

export interface PushedManifest {
  readonly digest: Digest;
  /** The registry says that it keeps the list of this subject's referrers. */
  readonly acceptedSubject: Digest | undefined;
}

/** @param name a tag, or the manifest's digest @throws RegistryError */
export async function putManifest(
  session: Session,
  repository: Repository,
  manifest: { readonly bytes: Uint8Array; readonly mediaType: string; readonly digest?: Digest },
  tag: string | undefined,
  signal?: AbortSignal,
): Promise<PushedManifest> {
  const { bytes, mediaType, digest = digestOf(bytes) } = manifest;
  const reply = await session.send(
    {
      method: 'PUT',
      target: `${repository.path}/manifests/${tag ?? digest}`,
      repository,
      scopes: [pushScope(repository)],
      headers: { 'content-type': mediaType },
      body: bytes,
      expected: [201],
      maxBytes: maxAnswerBytes,
    },
    signal,
  );
  const stored = reply.header('docker-content-digest');
  // A registry may name it by another algorithm than we do; by the same one it is the same.
  if (stored?.startsWith(`${algorithmOf(digest)}:`) === true && stored !== digest) {
    throw new RegistryError(
      'ERR_REGISTRY_DIGEST_MISMATCH',
      `${session.base.host} has stored ${stored} when it was sent ${digest}`,
    );
  }
  const subject = reply.header('oci-subject');
  return { digest, acceptedSubject: subject !== undefined && isDigest(subject) ? subject : undefined };
}
