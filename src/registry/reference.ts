// Image references: the grammar of the distribution project's reference package, with Docker's short names made whole.
//
//   reference = [ host [ ":" port ] "/" ] path [ ":" tag ] [ "@" digest ]

import { isIPv6 } from 'node:net';
import { type Digest, parseDigest } from './digest.ts';
import { RegistryError } from './errors.ts';

export interface Repository {
  /**
   * `host` or `host:port`, in lower case, as it is written in references (`docker.io`, not the host that serves it). Port
   * 443 is never written: a registry has one name, or signatures, credentials, mirrors and policies miss the other.
   */
  readonly registry: string;
  readonly path: string;
}

export interface ImageReference extends Repository {
  /** `latest` when neither tag nor digest is given. Where there is a digest it alone says what is meant. */
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

/** The longest that the grammar allows: a domain name, a port, a path, a tag and a SHA-512 digest. */
const maxReferenceChars = 1_024;
/** distribution's RepositoryNameTotalLengthMax, which counts the path alone. */
const maxPathChars = 255;
const maxPort = 65_535;

/** TLS without a port is there. */
const impliedPort = /:443$/;

const dockerHub = 'docker.io';
/** Names by which it goes, its own among them. */
export const dockerHubAliases: ReadonlySet<string> = new Set([
  dockerHub,
  'index.docker.io',
  'registry-1.docker.io',
]);

// The alternatives of each repetition begin with different characters, so matching is linear.
const pathPattern = /^[a-z0-9]+(?:(?:[.]|__?|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[.]|__?|-+)[a-z0-9]+)*)*$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const hostPattern = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;
/** A bare SHA-256 would be ambiguous: distribution refuses it as a name. (A part of one gets `:latest` from the kubelet, and is a name.) */
const imageIdPattern = /^[0-9a-f]{64}$/;
/**
 * To this grammar a repository of Docker Hub and a tag; to containerd, which looks for IDs of local images where it finds no such name, the
 * image on the node whose configuration has that digest, or one that begins like it. The algorithms are those of go-digest.
 */
const localImagePattern = /^(?:sha256|sha384|sha512):[0-9a-f]+$/i;

/** @throws RegistryError ERR_REFERENCE_INVALID, ERR_DIGEST_INVALID */
export function parseReference(text: string): ImageReference {
  if (text.length > maxReferenceChars)
    throw invalid(text, `it is longer than ${maxReferenceChars} characters`);
  const at = text.indexOf('@');
  const digest = at === -1 ? undefined : parseDigest(text.slice(at + 1));
  const named = at === -1 ? text : text.slice(0, at);
  if (localImagePattern.test(named)) {
    throw invalid(text, 'it is the ID of an image that is on the node already: give the name of an image');
  }
  const { name, tag } = splitTag(text, named);
  const { registry, path } = splitRegistry(text, name);
  if (!isRepositoryPath(path)) {
    throw invalid(text, 'a repository is lower-case letters, digits and single . _ - between them, with /');
  }
  if (path.length > maxPathChars) throw invalid(text, `its path is longer than ${maxPathChars} characters`);
  return { registry, path, tag: tag ?? (digest === undefined ? 'latest' : undefined), digest };
}

/**
 * Whether the text of a reference says which registry it means. One that does not means Docker Hub to Docker, containerd and us; CRI-O
 * looks in whatever registries its node is configured to search (containers-registries.conf, unqualified-search-registries).
 */
export function isQualified(text: string): boolean {
  const slash = text.indexOf('/');
  const first = text.slice(0, Math.max(slash, 0));
  // Docker's rule: the first component is a registry when it cannot be the name of a user there. (Docker also takes
  // capitals for a sign of that; in lower case, as we write it, such a name would mean a user again.)
  return /[.:]/.test(first) || first === 'localhost';
}

/** The whole reference; `parseReference` reads it back to the same. */
export function formatReference({ registry, path, tag, digest }: ImageReference): string {
  const tagged = tag === undefined ? '' : `:${tag}`;
  return `${registry}/${path}${tagged}${digest === undefined ? '' : `@${digest}`}`;
}

/** `registry/path`: what a signature names. */
export function repositoryName({ registry, path }: Repository): string {
  return `${registry}/${path}`;
}

/** A registry name alone, as the options of a client have it: `host` or `host:port`. @throws RegistryError ERR_REFERENCE_INVALID */
export function parseRegistry(text: string): string {
  return readRegistry(text, text);
}

/** Whether the text is `path` of a repository. Its length is not looked at: paths of mirrors come before others. */
export function isRepositoryPath(text: string): boolean {
  return pathPattern.test(text);
}

function splitTag(text: string, name: string): { readonly name: string; readonly tag: string | undefined } {
  const colon = name.lastIndexOf(':');
  // A colon before the last slash belongs to the port.
  if (colon === -1 || colon < name.lastIndexOf('/')) return { name, tag: undefined };
  const tag = name.slice(colon + 1);
  if (!tagPattern.test(tag)) {
    throw invalid(text, 'a tag is at most 128 letters, digits, . _ and -, and begins with none of . and -');
  }
  return { name: name.slice(0, colon), tag };
}

function splitRegistry(text: string, name: string): Repository {
  const slash = name.indexOf('/');
  if (!isQualified(name)) {
    if (imageIdPattern.test(name)) throw invalid(text, 'it is an image ID: give the name of an image');
    return { registry: dockerHub, path: slash === -1 ? `library/${name}` : name };
  }
  const path = name.slice(slash + 1);
  const registry = readRegistry(text, name.slice(0, slash));
  return { registry, path: registry === dockerHub && !path.includes('/') ? `library/${path}` : path };
}

/** @param text that holds the name, for the message */
function readRegistry(text: string, name: string): string {
  const registry = name.toLowerCase();
  const problem = problemOfRegistry(registry);
  if (problem !== undefined) throw invalid(text, problem);
  const short = registry.replace(impliedPort, '');
  return dockerHubAliases.has(short) ? dockerHub : short;
}

/** Why `registry` is no `host[:port]`; undefined when it is. */
function problemOfRegistry(registry: string): string | undefined {
  const [, v6, name, port] = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+))(?::([0-9]{1,5}))?$/.exec(registry) ?? [];
  const host = name ?? (v6 !== undefined && isIPv6(v6) ? `[${v6}]` : undefined);
  if (host === undefined || (name !== undefined && !hostPattern.test(name))) {
    return `${JSON.stringify(registry)} is no registry: give HOST or HOST:PORT`;
  }
  if (port !== undefined && (port.startsWith('0') || Number(port) > maxPort))
    return `there is no port ${port}`;
  // URL readers turn 0x7f.1 and 2130706433 into addresses: a registry has one spelling, or rules about hosts miss it.
  if (!URL.canParse(`https://${host}`) || new URL(`https://${host}`).hostname !== host) {
    return `${JSON.stringify(host)} is not how this host is written`;
  }
  return undefined;
}

function invalid(text: string, reason: string): RegistryError {
  const shown = JSON.stringify(text.slice(0, maxPathChars));
  return new RegistryError('ERR_REFERENCE_INVALID', `${shown} is no image reference: ${reason}`);
}
