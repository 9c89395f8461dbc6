// Several credentials for one registry, of which nobody knows which one it takes: tried one after the other, as the kubelet does.

import type { CredentialSource } from './auth/credentials.ts';
import type { RegistryClient } from './client.ts';
import { RegistryError } from './errors.ts';
import { type Repository, repositoryName } from './reference.ts';

export interface ClientOfSource {
  /** Speaks with the credentials of `source`. */
  readonly client: RegistryClient;
  readonly source: CredentialSource;
}

/** What a registry says to whom it does not let in. Some hide that there is something at all. */
const refusals: ReadonlySet<string> = new Set([
  'ERR_REGISTRY_UNAUTHORIZED',
  'ERR_REGISTRY_DENIED',
  'ERR_REGISTRY_NOT_FOUND',
]);

/** A client for thousands of repositories keeps for the last ones what was taken. */
const maxRemembered = 1_000;

/**
 * Reads with the first credentials that are taken, and begins with them the next time. Where there are none for a repository the
 * first client asks without. The error of the first is the one that is thrown.
 * @param hint why credentials may be missing, added to the error when none are taken
 */
export function clientInTurn(
  [first, ...others]: readonly [ClientOfSource, ...ClientOfSource[]],
  hint: string | undefined,
): RegistryClient {
  const all = [first, ...others];
  const taken = new Map<string, ClientOfSource>();

  async function candidates(
    repository: Repository,
    signal: AbortSignal | undefined,
  ): Promise<readonly ClientOfSource[]> {
    const known = taken.get(repositoryName(repository));
    const rest: ClientOfSource[] = [];
    for (const each of others) {
      if ((await each.source(repository, signal)) !== undefined) rest.push(each);
    }
    return known === undefined ? [first, ...rest] : [...new Set([known, first, ...rest])];
  }

  function remember(repository: Repository, candidate: ClientOfSource): void {
    const name = repositoryName(repository);
    taken.delete(name);
    taken.set(name, candidate);
    const [oldest] = taken.keys();
    if (taken.size > maxRemembered && oldest !== undefined) taken.delete(oldest);
  }

  async function read<T>(
    repository: Repository,
    ask: (client: RegistryClient) => Promise<T>,
    signal: AbortSignal | undefined,
    isEmpty: (result: T) => boolean = () => false,
  ): Promise<T> {
    const fitting = others.length === 0 ? all : await candidates(repository, signal);
    let failure: unknown;
    let empty: { readonly result: T } | undefined;
    for (const candidate of fitting) {
      try {
        const result = await ask(candidate.client);
        if (isEmpty(result)) {
          empty ??= { result };
          continue;
        }
        if (others.length > 0) remember(repository, candidate);
        return result;
      } catch (error) {
        if (!(error instanceof RegistryError) || !refusals.has(error.code)) throw error;
        failure ??= error;
      }
    }
    if (empty !== undefined) return empty.result;
    throw withHint(failure, hint);
  }

  return {
    ...first.client,
    resolve: (ref, signal) => read(ref, (client) => client.resolve(ref, signal), signal),
    manifest: (repository, digest, signal, maxBytes) =>
      read(repository, (client) => client.manifest(repository, digest, signal, maxBytes), signal),
    blob: (repository, descriptor, maxBytes, signal) =>
      read(repository, (client) => client.blob(repository, descriptor, maxBytes, signal), signal),
    referrers: (repository, subject, signal) =>
      read(
        repository,
        (client) => client.referrers(repository, subject, signal),
        signal,
        // Where a registry hides what one may not see, its list and the tag in place of it are not there.
        ({ descriptors, source }) => source === 'tag' && descriptors.length === 0,
      ),
  };
}

function withHint(error: unknown, hint: string | undefined): unknown {
  if (!(error instanceof RegistryError) || hint === undefined) return error;
  return new RegistryError(error.code, `${error.message}; ${hint}`, {
    ...(error.status !== undefined && { status: error.status }),
    receivedBytes: error.receivedBytes,
    cause: error,
  });
}
