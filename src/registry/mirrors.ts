// Mirrors: registries that are asked first for what another one has. What they answer is checked like anything else, and
// what they lack or fail to answer the origin is asked for; nothing is ever written to them.

import type { Referrers } from './artifact.ts';
import { RegistryError } from './errors.ts';
import { isRepositoryPath, parseRegistry, type Repository } from './reference.ts';

/** Of a registry, its mirrors as `host[:port][/path]`: `docker.io/library/nginx` is at `mirror.example/hub/library/nginx`. */
export type Mirrors = ReadonlyMap<string, readonly Repository[]>;

/** @throws RegistryError ERR_REGISTRY_CONFIGURATION, ERR_REFERENCE_INVALID */
export function parseMirrors(mirrors: Readonly<Record<string, readonly string[]>>): Mirrors {
  return new Map(
    Object.entries(mirrors).map(([registry, places]) => [parseRegistry(registry), places.map(parsePlace)]),
  );
}

function parsePlace(text: string): Repository {
  const [host = '', ...rest] = text.split('/');
  const path = rest.join('/');
  if (path !== '' && !isRepositoryPath(path)) {
    throw new RegistryError(
      'ERR_REGISTRY_CONFIGURATION',
      `${JSON.stringify(text)} is no mirror: give HOST or HOST/PATH`,
    );
  }
  return { registry: parseRegistry(host), path };
}

/** Where a repository can be read, the origin last. */
export function placesOf(repository: Repository, mirrors: Mirrors): readonly Repository[] {
  const places = (mirrors.get(repository.registry) ?? []).map(({ registry, path }) => ({
    registry,
    path: path === '' ? repository.path : `${path}/${repository.path}`,
  }));
  return [...places, repository];
}

/**
 * The first result that counts, of the places in their order. The origin's error is the one that is thrown.
 * @param counts whether a mirror's result is enough; the origin's always is
 */
export async function fromFirst<T>(
  places: readonly Repository[],
  read: (place: Repository) => Promise<T>,
  counts: (result: T) => boolean = () => true,
): Promise<T> {
  const failures: RegistryError[] = [];
  for (const [index, place] of places.entries()) {
    const isOrigin = index === places.length - 1;
    try {
      const result = await read(place);
      if (isOrigin || counts(result)) return result;
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      if (isOrigin) throw withMirrors(error, failures);
      failures.push(error);
    }
  }
  throw new RegistryError('ERR_REGISTRY_CONFIGURATION', 'there is no place to read from');
}

/**
 * What refers to something: the list of the first mirror that has any, which may be old, together with the origin's. The origin's
 * alone where mirrors carry none or fail, and the mirror's alone where the origin fails or takes longer than `originMs`.
 */
export async function referrersOf(
  places: readonly Repository[],
  list: (place: Repository, signal: AbortSignal | undefined) => Promise<Referrers>,
  originMs: number,
  signal: AbortSignal | undefined,
): Promise<Referrers> {
  let mirrored = false;
  const first = await fromFirst(
    places,
    async (place) => {
      const found = await list(place, signal);
      mirrored = place !== places.at(-1);
      return found;
    },
    ({ descriptors }) => descriptors.length > 0,
  );
  const origin = places.at(-1);
  if (!mirrored || origin === undefined) return first;
  const patience = AbortSignal.any([AbortSignal.timeout(originMs), ...(signal ? [signal] : [])]);
  try {
    return united(await list(origin, patience), first);
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof RegistryError || patience.aborted) return first;
    throw error;
  }
}

/** What both have is as the origin has it. */
function united(origin: Referrers, mirror: Referrers): Referrers {
  const known = new Set(origin.descriptors.map(({ digest }) => digest));
  const others = mirror.descriptors.filter(({ digest }) => !known.has(digest));
  return { source: origin.source, descriptors: [...origin.descriptors, ...others] };
}

function withMirrors(error: RegistryError, failures: readonly RegistryError[]): RegistryError {
  if (failures.length === 0) return error;
  const earlier = failures.map(({ message }) => message).join('; ');
  return new RegistryError(error.code, `${error.message} (and before, of its mirrors: ${earlier})`, {
    ...(error.status !== undefined && { status: error.status }),
    receivedBytes: failures.reduce((sum, failure) => sum + failure.receivedBytes, error.receivedBytes),
    cause: error,
  });
}
