// What refers to a manifest: the referrers API, or the tag that stands in for it (OCI distribution specification,
// "Listing Referrers" and "Referrers Tag Schema").

import type { Referrers } from './artifact.ts';
import type { Descriptor } from './descriptor.ts';
import { algorithmOf, type Digest, hexOf } from './digest.ts';
import { isNotFound, RegistryError } from './errors.ts';
import type { RegistryLimits } from './limits.ts';
import { nextLink } from './link.ts';
import { kindOf, mediaTypeOf, ociIndex } from './media-types.ts';
import { pullTagBytes } from './pull.ts';
import type { Repository } from './reference.ts';
import { type ReferrerList, readReferrerList } from './referrer-list.ts';
import { pullScope } from './scopes.ts';
import type { Reply, Session } from './session.ts';

/** Tags are short: of the digits there are so many ("Referrers Tag Schema"), which SHA-512 has more of. */
const maxTagDigits = 64;

/** The tag under which registries without the API keep the list. */
export function fallbackTag(subject: Digest): string {
  return `${algorithmOf(subject)}-${hexOf(subject).slice(0, maxTagDigits)}`;
}

/** @throws RegistryError for everything but a list: a failure is never an empty one */
export async function listReferrers(
  session: Session,
  repository: Repository,
  subject: Digest,
  limits: RegistryLimits,
  signal?: AbortSignal,
): Promise<Referrers> {
  const fromApi = await askApi(session, repository, subject, limits, signal);
  if (fromApi !== undefined) return { descriptors: fromApi, source: 'api' };
  const index = await pullFallbackIndex(session, repository, subject, limits, signal);
  const descriptors = index?.descriptors ?? [];
  checkCount(descriptors.length, limits);
  return { descriptors, source: 'tag' };
}

/** Undefined when the registry has no such API. */
async function askApi(
  session: Session,
  repository: Repository,
  subject: Digest,
  limits: RegistryLimits,
  signal: AbortSignal | undefined,
): Promise<readonly Descriptor[] | undefined> {
  const descriptors: Descriptor[] = [];
  const visited = new Set<string>();
  let bytesLeft = limits.maxReferrerListBytes;
  let target: string | URL = `${repository.path}/referrers/${subject}`;
  for (let page = 1; ; page += 1) {
    const reply = await getPage(session, repository, target, page === 1, bytesLeft, signal);
    if (reply.status === 404) return undefined;
    bytesLeft -= reply.bytes.byteLength;
    descriptors.push(...readPage(session, reply));
    checkCount(descriptors.length, limits);
    visited.add(reply.url.href);
    const next = nextPage(session, reply, visited);
    if (next === undefined) return descriptors;
    if (page === limits.maxReferrerPages) {
      throw tooLarge(`its list of referrers has more than ${limits.maxReferrerPages} pages`, session);
    }
    target = next;
  }
}

async function getPage(
  session: Session,
  repository: Repository,
  target: string | URL,
  isFirst: boolean,
  maxBytes: number,
  signal: AbortSignal | undefined,
): Promise<Reply> {
  return await session.send(
    {
      method: 'GET',
      target,
      repository,
      scopes: [pullScope(repository)],
      headers: { accept: ociIndex },
      // Only the first page may say that there is no such list.
      expected: isFirst ? [200, 404] : [200],
      maxBytes,
    },
    signal,
  );
}

function readPage(session: Session, reply: Reply): readonly Descriptor[] {
  const mediaType = mediaTypeOf(reply.header('content-type'));
  if (mediaType !== ociIndex) {
    throw new RegistryError(
      'ERR_REGISTRY_PROTOCOL',
      `${session.base.host} answers a question for referrers with ${JSON.stringify(mediaType ?? 'nothing')}, which is no list of them`,
    );
  }
  return readReferrerList(reply.bytes).descriptors;
}

function nextPage(session: Session, reply: Reply, visited: ReadonlySet<string>): URL | undefined {
  const target = nextLink(reply.header('link'));
  if (target === undefined) return undefined;
  const url = URL.parse(target, reply.url);
  if (url === null || url.origin !== session.base.origin || visited.has(url.href)) {
    throw new RegistryError(
      'ERR_REGISTRY_PROTOCOL',
      `${session.base.host} continues its list of referrers elsewhere, or where it has been already`,
    );
  }
  return url;
}

export interface FallbackIndex extends ReferrerList {
  readonly mediaType: string;
}

/** Undefined when there is none yet. @throws RegistryError */
export async function pullFallbackIndex(
  session: Session,
  repository: Repository,
  subject: Digest,
  limits: RegistryLimits,
  signal?: AbortSignal,
): Promise<FallbackIndex | undefined> {
  const tag = fallbackTag(subject);
  try {
    const { bytes, mediaType } = await pullTagBytes(
      session,
      repository,
      tag,
      limits.manifest.maxBytes,
      signal,
    );
    if (kindOf(mediaType) === 'index') return { ...readReferrerList(bytes), mediaType };
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
  throw new RegistryError(
    'ERR_MANIFEST_INVALID',
    `${session.base.host}: the tag ${tag} of ${repository.path} should be a list of referrers, and is none`,
  );
}

function checkCount(count: number, limits: RegistryLimits): void {
  if (count <= limits.maxReferrers) return;
  throw new RegistryError(
    'ERR_REGISTRY_TOO_LARGE',
    `there are ${count} referrers or more, where ${limits.maxReferrers} are allowed: remove those that are not needed`,
  );
}

function tooLarge(reason: string, session: Session): RegistryError {
  return new RegistryError('ERR_REGISTRY_TOO_LARGE', `${session.base.host}: ${reason}`);
}
