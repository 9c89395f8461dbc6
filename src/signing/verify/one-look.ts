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
    manifest: (repository, digest, _, maxBytes) =>
      once(`manifest ${at(repository)} ${digest} ${maxBytes}`, () =>
        client.manifest(repository, digest, signal, maxBytes),
      ),
    blob: (repository, descriptor, maxBytes) => {
      const ask = () => client.blob(repository, descriptor, maxBytes, signal);
      // Inline content costs no request, and whoever copies a manifest can write any content into the copy.
      if (descriptor.data !== undefined) return ask();
      return once(`blob ${at(repository)} ${descriptor.digest} ${descriptor.size} ${maxBytes}`, ask);
    },
  };
  return { ...client, ...looks };
}
