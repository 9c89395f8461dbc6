// One look at the registry for all who judge the same image: several policies see the same referrers, and cost one fetch.

import type { RegistryClient } from '../../registry/client.ts';
import { type Repository, repositoryName } from '../../registry/reference.ts';

type Looks = Pick<RegistryClient, 'referrers' | 'manifest' | 'blob' | 'resolve'>;

/**
 * Of manifests and blobs: all that hangs on a usual image, and what many images at a time may take of a process. The limits of a
 * verification let through ten times as much.
 */
const maxRememberedBytes = 4 * 1024 * 1024;

/**
 * A client that asks once for each thing and remembers the answer for as long as it lives: for the verification of one
 * image. A failure is not remembered, nor is what would be too much; who asks for that later asks again.
 * @param signal of all who look: what one asks for serves the others, so that it must not end because one of them gives up
 */
export function oneLook(client: RegistryClient, signal: AbortSignal): RegistryClient {
  const seen = new Map<string, Promise<unknown>>();
  let remembered = 0;
  const once = <T>(what: string, ask: () => Promise<T>, bytesOf: (answer: T) => number): Promise<T> => {
    const known = seen.get(what);
    if (known !== undefined) return known as Promise<T>;
    const asked = ask();
    seen.set(what, asked);
    asked.then(
      (answer) => {
        const bytes = bytesOf(answer);
        if (remembered + bytes > maxRememberedBytes) seen.delete(what);
        else remembered += bytes;
      },
      () => seen.delete(what),
    );
    return asked;
  };
  // One each, and the second has a limit of its own.
  const free = () => 0;
  const at = (repository: Repository) => repositoryName(repository);
  const looks: Looks = {
    resolve: (ref) =>
      once(`resolve ${at(ref)} ${ref.tag} ${ref.digest}`, () => client.resolve(ref, signal), free),
    referrers: (repository, subject) =>
      once(
        `referrers ${at(repository)} ${subject}`,
        () => client.referrers(repository, subject, signal),
        free,
      ),
    manifest: (repository, digest, _, maxBytes) =>
      once(
        `manifest ${at(repository)} ${digest} ${maxBytes}`,
        () => client.manifest(repository, digest, signal, maxBytes),
        ({ bytes }) => bytes.byteLength,
      ),
    blob: (repository, descriptor, maxBytes) => {
      const ask = () => client.blob(repository, descriptor, maxBytes, signal);
      // Inline content costs no request, and whoever copies a manifest can write any content into the copy.
      if (descriptor.data !== undefined) return ask();
      return once(
        `blob ${at(repository)} ${descriptor.digest} ${descriptor.size} ${maxBytes}`,
        ask,
        (bytes) => bytes.byteLength,
      );
    },
  };
  return { ...client, ...looks };
}
