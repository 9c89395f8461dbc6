// Reading manifests and blobs. Whatever arrives is what its digest names, or an error.

import type { Descriptor } from './descriptor.ts';
import { algorithmOf, type Digest, DigestCheck, digestOf, isDigest, isDigestOf } from './digest.ts';
import { RegistryError } from './errors.ts';
import { type FetchedManifest, type ManifestLimits, parseManifest } from './manifest.ts';
import { acceptedManifests, mediaTypeOf } from './media-types.ts';
import { type Repository, repositoryName } from './reference.ts';
import { pullScope } from './scopes.ts';
import type { Reply, Session } from './session.ts';

/** @throws RegistryError ERR_REGISTRY_DIGEST_MISMATCH, ERR_MANIFEST_INVALID, ERR_REGISTRY_NOT_FOUND and what a session throws */
export async function pullManifest(
  session: Session,
  repository: Repository,
  digest: Digest,
  limits: ManifestLimits,
  signal?: AbortSignal,
): Promise<FetchedManifest> {
  const reply = await getManifest(session, repository, { digest }, limits.maxBytes, signal);
  if (!isDigestOf(digest, reply.bytes)) throw mismatch(session, digest);
  return readReply(session, reply, digest, limits);
}

/** The manifest that a tag names now. @throws RegistryError as `pullManifest` */
export async function pullTag(
  session: Session,
  repository: Repository,
  tag: string,
  limits: ManifestLimits,
  signal?: AbortSignal,
): Promise<FetchedManifest> {
  const { reply, digest } = await getTag(session, repository, tag, limits.maxBytes, signal);
  return readReply(session, reply, digest, limits);
}

/** What a tag names now, not read. @throws RegistryError as `pullManifest`, but ERR_MANIFEST_INVALID */
export async function pullTagBytes(
  session: Session,
  repository: Repository,
  tag: string,
  maxBytes: number,
  signal?: AbortSignal,
): Promise<{ readonly bytes: Buffer; readonly mediaType: string }> {
  const { reply } = await getTag(session, repository, tag, maxBytes, signal);
  return { bytes: reply.bytes, mediaType: mediaTypeOf(reply.header('content-type')) ?? '' };
}

async function getTag(
  session: Session,
  repository: Repository,
  tag: string,
  maxBytes: number,
  signal: AbortSignal | undefined,
): Promise<{ readonly reply: Reply; readonly digest: Digest }> {
  const reply = await getManifest(session, repository, { tag }, maxBytes, signal);
  const hint = reply.header('docker-content-digest');
  // The bytes decide. The header says which algorithm the registry goes by, and is a lie when it names other bytes.
  const claimed = hint !== undefined && isDigest(hint) ? hint : undefined;
  const digest = digestOf(reply.bytes, claimed && algorithmOf(claimed));
  if (claimed !== undefined && claimed !== digest) throw mismatch(session, claimed);
  return { reply, digest };
}

async function getManifest(
  session: Session,
  repository: Repository,
  name: { readonly tag: string } | { readonly digest: Digest },
  maxBytes: number,
  signal: AbortSignal | undefined,
): Promise<Reply> {
  return await session.send(
    {
      method: 'GET',
      target: `${repository.path}/manifests/${'tag' in name ? name.tag : name.digest}`,
      repository,
      scopes: [pullScope(repository)],
      headers: { accept: acceptedManifests },
      expected: [200],
      maxBytes,
      missing: whatIsMissing(repository, name),
    },
    signal,
  );
}

function whatIsMissing(
  repository: Repository,
  name: { readonly tag: string } | { readonly digest: Digest },
): string {
  // What signs an image is fetched by its digest, too.
  return 'tag' in name
    ? `there is no image ${repositoryName(repository)}:${name.tag}: check the name and the tag`
    : `there is no image or artifact ${repositoryName(repository)}@${name.digest}: check the name and the digest`;
}

function readReply(session: Session, reply: Reply, digest: Digest, limits: ManifestLimits): FetchedManifest {
  const mediaType = mediaTypeOf(reply.header('content-type'));
  if (mediaType === undefined) {
    throw new RegistryError('ERR_MANIFEST_INVALID', `${session.base.host} does not say what ${digest} is`);
  }
  const manifest = parseManifest(reply.bytes, mediaType, limits);
  return { digest, bytes: reply.bytes, mediaType, manifest };
}

/** @throws RegistryError ERR_REGISTRY_TOO_LARGE, ERR_REGISTRY_DIGEST_MISMATCH and what a session throws */
export async function pullBlob(
  session: Session,
  repository: Repository,
  descriptor: Descriptor,
  signal?: AbortSignal,
): Promise<Buffer> {
  const { digest, size } = descriptor;
  const { bytes } = await session.send(blobOperation(repository, descriptor), signal);
  if (bytes.byteLength === size && isDigestOf(digest, bytes)) return bytes;
  throw mismatch(session, digest, bytes.byteLength);
}

/** The pieces of a blob; the last one comes only when all of them are what the digest names. */
export async function openBlob(
  session: Session,
  repository: Repository,
  descriptor: Descriptor,
  signal?: AbortSignal,
): Promise<AsyncGenerator<Uint8Array, void, undefined>> {
  const answer = await session.open(blobOperation(repository, descriptor), signal);
  return checked(answer.pieces(descriptor.size), descriptor, () => mismatch(session, descriptor.digest));
}

async function* checked(
  pieces: AsyncIterable<Uint8Array>,
  { digest, size }: Descriptor,
  mismatched: () => RegistryError,
): AsyncGenerator<Uint8Array, void, undefined> {
  const check = new DigestCheck(digest);
  let bytes = 0;
  let held: Uint8Array | undefined;
  for await (const piece of pieces) {
    if (held !== undefined) yield held;
    check.update(piece);
    bytes += piece.byteLength;
    held = piece;
  }
  if (bytes !== size || !check.matches()) throw mismatched();
  if (held !== undefined) yield held;
}

function blobOperation(repository: Repository, { digest, size }: Descriptor): Parameters<Session['send']>[0] {
  return {
    method: 'GET',
    target: `${repository.path}/blobs/${digest}`,
    repository,
    scopes: [pullScope(repository)],
    expected: [200],
    maxBytes: size,
  };
}

/**
 * The content that a descriptor carries in itself (OCI image specification, "Embedded Content").
 * @throws RegistryError ERR_MANIFEST_INVALID when it is not what the descriptor names
 */
export function inlineContent({ data, digest, size }: Descriptor): Buffer | undefined {
  if (data === undefined) return undefined;
  const bytes = Buffer.from(data, 'base64');
  // One spelling: what Node.js skips or fills in, others refuse.
  if (bytes.toString('base64') === data && bytes.byteLength === size && isDigestOf(digest, bytes)) {
    return bytes;
  }
  throw new RegistryError('ERR_MANIFEST_INVALID', `the data of a descriptor is not what ${digest} names`);
}

function mismatch(session: Session, digest: Digest, receivedBytes = 0): RegistryError {
  return new RegistryError(
    'ERR_REGISTRY_DIGEST_MISMATCH',
    `${session.base.host} answers with other content than ${digest} names: the registry, or what is in between, is at fault`,
    { receivedBytes },
  );
}
