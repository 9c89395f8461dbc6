// One look at the registry for all who judge the same image: several policies see the same referrers, and cost one fetch.

import type { RegistryClient } from '../../registry/client.ts';
import { type Repository, repositoryName } from '../../registry/reference.ts';

type Looks = Pick<RegistryClient, 'referrers' | 'manifest' | 'blob' | 'resolve'>;

/**
 * A client that asks once for each thing and remembers the answer for as long as it lives: for the verification of one
 * image, whose limits bound what it holds. A failure is not remembered.
 * @param signal of all who look: what one asks for serves the others, so that it must not end because one of them gives up
 */
export function oneLook(client: RegistryClient, signal: AbortSignal): RegistryClient {
  const seen = new Map<string, Promise<unknown>>();
  const once = <T>(what: string, ask: () => Promise<T>): Promise<T> => {
    const known = seen.get(what);
    if (known !== undefined) return known as Promise<T>;
    const asked = ask();
    seen.set(what, asked);
    asked.catch(() => seen.delete(what));
    return asked;
  };
  const at = (repository: Repository) => repositoryName(repository);
  const looks: Looks = {
    resolve: (ref) => once(`resolve ${at(ref)} ${ref.tag} ${ref.digest}`, () => client.resolve(ref, signal)),
    referrers: (repository, subject) =>
      once(`referrers ${at(repository)} ${subject}`, () => client.referrers(repository, subject, signal)),
    manifest: (repository, digest) =>
      once(`manifest ${at(repository)} ${digest}`, () => client.manifest(repository, digest, signal)),
    blob: (repository, descriptor, maxBytes) =>
      once(`blob ${at(repository)} ${descriptor.digest} ${descriptor.size} ${maxBytes}`, () =>
        client.blob(repository, descriptor, maxBytes, signal),
      ),
  };
  return { ...client, ...looks };
}
