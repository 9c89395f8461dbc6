// The entries of `auths`, as docker, podman and Kubernetes write them: for which registry, and which credentials.

import { RegistryError } from '../errors.ts';
import { isJsonObject } from '../strict-json.ts';
import type { Credentials } from './credentials.ts';

/** Keys are `host`, `host/path`, or as old versions of docker wrote them, `https://host/v1/`. */
export function splitKey(key: string): { readonly host: string; readonly path: string } {
  const bare = key.replace(/^https?:\/\//, '');
  const [host = '', ...rest] = bare.split('/').filter((part) => part !== '');
  const path = /^v[12]$/.test(rest.join('/')) ? '' : rest.join('/');
  return { host, path };
}

/** Whether a repository is below the path of a key, which is empty for a whole registry. */
export function isInside(path: string, prefix: string): boolean {
  return prefix === '' || path === prefix || path.startsWith(`${prefix}/`);
}

/**
 * What an entry holds; undefined when that is nothing, as where a helper keeps it.
 * @param where the entry is, for messages
 * @throws RegistryError ERR_REGISTRY_CONFIGURATION, which quotes nothing of it
 */
export function credentialsOf(entry: unknown, where: string): Credentials | undefined {
  if (!isJsonObject(entry)) throw invalid(where, 'one of its auths is no object');
  const { auth, identitytoken, registrytoken, username, password } = entry;
  if (typeof registrytoken === 'string' && registrytoken !== '') {
    return { kind: 'registry-token', token: registrytoken };
  }
  if (typeof identitytoken === 'string' && identitytoken !== '') {
    return { kind: 'identity-token', token: identitytoken };
  }
  if (typeof auth === 'string' && auth !== '') return decodeAuth(auth, where);
  if (typeof username === 'string' && typeof password === 'string' && username !== '') {
    return { kind: 'password', username, password };
  }
  return undefined;
}

function decodeAuth(auth: string, where: string): Credentials {
  const text = Buffer.from(auth, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 1) throw invalid(where, 'an auth is not the base64 of USER:PASSWORD');
  // Old versions of docker padded with NULs.
  const password = text.slice(colon + 1).replace(/\0+$/, '');
  return { kind: 'password', username: text.slice(0, colon), password };
}

export function invalid(where: string, reason: string): RegistryError {
  return new RegistryError('ERR_REGISTRY_CONFIGURATION', `${where}: ${reason}`);
}
