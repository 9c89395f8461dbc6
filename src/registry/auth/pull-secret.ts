// The two kinds of Secret with credentials for registries (Kubernetes, "Pull an Image from a Private Registry"). Their content
// is somebody's who may make Secrets: no helper in it is run, and no file that it names is read.

import type { Repository } from '../reference.ts';
import { isJsonObject, type JsonObject, parseStrictJson } from '../strict-json.ts';
import { credentialsOf, invalid, isInside, splitKey } from './auth-entries.ts';
import type { Credentials } from './credentials.ts';
import { type HostPattern, hostPattern } from './host-pattern.ts';

/** Where in a Secret's data the credentials are, by the type of the Secret. */
export const pullSecretKeys = {
  'kubernetes.io/dockerconfigjson': '.dockerconfigjson',
  'kubernetes.io/dockercfg': '.dockercfg',
} as const;

export type PullSecretType = keyof typeof pullSecretKeys;

/** One entry: credentials, and the repositories they are for. */
export interface PullSecretEntry {
  /** As it is written, without a scheme: the kubelet sorts by it. */
  readonly key: string;
  readonly host: HostPattern;
  readonly path: string;
  readonly credentials: Credentials;
}

/** What the API server takes of a Secret. */
const maxSecretBytes = 1024 * 1024;
const maxDepth = 16;
/** Each is compared with every image of every pod that names the Secret. */
const maxEntries = 256;

/**
 * @param where the Secret is, for messages
 * @throws RegistryError ERR_REGISTRY_CONFIGURATION for one that is damaged, which quotes nothing of it
 */
export function readPullSecret(
  type: PullSecretType,
  bytes: Uint8Array,
  where: string,
): readonly PullSecretEntry[] {
  const entries = Object.entries(authsOf(type, bytes, where));
  if (entries.length > maxEntries) throw invalid(where, `it has more than ${maxEntries} entries`);
  return entries.flatMap(([text, entry]) => {
    const { host, path } = splitKey(text);
    const pattern = hostPattern(host);
    const credentials = credentialsOf(entry, where);
    // Entries for something else, or without content, are nobody's mistake.
    if (pattern === undefined || credentials === undefined) return [];
    return [{ key: path === '' ? host : `${host}/${path}`, host: pattern, path, credentials }];
  });
}

/**
 * All credentials for a repository, in the order in which the kubelet tries them: by their keys from the last to the first, which
 * puts those for a part of a registry before those for all of it.
 */
export function pullSecretCandidates(
  entries: readonly PullSecretEntry[],
  repository: Repository,
): readonly Credentials[] {
  return entries
    .filter(({ host, path }) => host(repository.registry) && isInside(repository.path, path))
    .toSorted((a, b) => (a.key === b.key ? 0 : a.key < b.key ? 1 : -1))
    .map(({ credentials }) => credentials);
}

function authsOf(type: PullSecretType, bytes: Uint8Array, where: string): JsonObject {
  let document: unknown;
  try {
    document = parseStrictJson(bytes, { maxBytes: maxSecretBytes, maxDepth });
  } catch {
    // What is wrong with it may quote it.
    throw invalid(where, `its ${pullSecretKeys[type]} is not the JSON that it should be`);
  }
  const auths =
    type === 'kubernetes.io/dockercfg' || !isJsonObject(document) ? document : (document['auths'] ?? {});
  if (isJsonObject(auths)) return auths;
  throw invalid(where, `its ${pullSecretKeys[type]} has no object with entries`);
}
