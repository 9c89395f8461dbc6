// Credentials from where container tools keep them: docker's config.json, and podman's auth.json in the same format.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RegistryError } from '../errors.ts';
import { parseRegistry, type Repository } from '../reference.ts';
import { isJsonObject, type JsonObject, parseStrictJson } from '../strict-json.ts';
import { credentialsOf, invalid, isInside, splitKey } from './auth-entries.ts';
import { askHelper } from './credential-helper.ts';
import type { CredentialSource, Credentials } from './credentials.ts';

export interface DockerCredentialOptions {
  readonly env: NodeJS.ProcessEnv;
  /** A directory with config.json, as DOCKER_CONFIG names one; looked at alone when given. */
  readonly directory?: string | undefined;
}

const maxConfigBytes = 1024 * 1024;
const maxDepth = 16;

/** What docker itself writes for its hub, and asks helpers about. */
const dockerHubKey = 'https://index.docker.io/v1/';

/**
 * Reads the file at every question, which are few: what `docker login` changes is seen. Found like cosign does:
 * `directory`, DOCKER_CONFIG, ~/.docker; without a file there REGISTRY_AUTH_FILE, then podman's own place.
 */
export function dockerCredentials(options: DockerCredentialOptions): CredentialSource {
  return async (repository, signal) => {
    const config = await readConfig(options);
    if (config === undefined) return undefined;
    const helper = helperFor(config, repository.registry);
    const stored = (): Credentials | undefined => storedCredentials(config, repository);
    if (helper === undefined) return stored();
    return (await askHelper(helper, serverName(repository.registry), options.env, signal)) ?? stored();
  };
}

interface Config {
  readonly path: string;
  readonly content: JsonObject;
}

async function readConfig({ env, directory }: DockerCredentialOptions): Promise<Config | undefined> {
  const { DOCKER_CONFIG: docker, HOME: home, REGISTRY_AUTH_FILE: file, XDG_RUNTIME_DIR: runtime } = env;
  if (directory !== undefined) return await readOne(join(directory, 'config.json'));
  const places = [
    docker ? join(docker, 'config.json') : home && join(home, '.docker/config.json'),
    file,
    runtime && join(runtime, 'containers/auth.json'),
  ];
  for (const path of places) {
    const config = path ? await readOne(path) : undefined;
    if (config !== undefined) return config;
  }
  return undefined;
}

async function readOne(path: string): Promise<Config | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && ['ENOENT', 'ENOTDIR'].includes(String(cause.code))) {
      return undefined;
    }
    throw new RegistryError('ERR_REGISTRY_CONFIGURATION', `${path} cannot be read`, { cause });
  }
  try {
    const content = parseStrictJson(bytes, { maxBytes: maxConfigBytes, maxDepth });
    if (isJsonObject(content)) return { path, content };
  } catch (error) {
    // Its cause may quote the file.
    if (error instanceof RegistryError) throw invalid(path, error.message);
    throw error;
  }
  throw invalid(path, 'no JSON object');
}

function helperFor({ path, content }: Config, registry: string): string | undefined {
  const { credHelpers = {}, credsStore } = content;
  if (!isJsonObject(credHelpers)) throw invalid(path, 'its credHelpers are no object');
  const [, own] = Object.entries(credHelpers).find(([key]) => registryOfKey(key)?.name === registry) ?? [];
  const helper = own ?? credsStore;
  if (helper === undefined || helper === '') return undefined;
  if (typeof helper !== 'string') throw invalid(path, 'a credential helper has no name');
  return helper;
}

function serverName(registry: string): string {
  return registry === 'docker.io' ? dockerHubKey : registry;
}

/** The entry with the longest path that the repository is in: podman keeps some for a part of a registry. */
function storedCredentials({ path, content }: Config, repository: Repository): Credentials | undefined {
  const { auths = {} } = content;
  if (!isJsonObject(auths)) throw invalid(path, 'its auths are no object');
  const fitting = Object.entries(auths)
    .map(([key, entry]) => ({ entry, place: registryOfKey(key) }))
    .filter(({ place }) => place?.name === repository.registry && isInside(repository.path, place.path))
    .sort((one, other) => (other.place?.path.length ?? 0) - (one.place?.path.length ?? 0));
  for (const { entry } of fitting) {
    const credentials = credentialsOf(entry, path);
    if (credentials !== undefined) return credentials;
  }
  return undefined;
}

function registryOfKey(key: string): { readonly name: string; readonly path: string } | undefined {
  const { host, path } = splitKey(key);
  try {
    return { name: parseRegistry(host), path };
  } catch {
    // An entry for something else.
    return undefined;
  }
}
