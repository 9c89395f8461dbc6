// Every kind of registry, with and without authentication and TLS, and clients for them.

import { dockerCredentials } from '../../src/registry/auth/docker-config.ts';
import { createRegistryAccess, type RegistryAccess } from '../../src/registry/client.ts';
import type { RegistryOptions } from '../../src/registry/options.ts';
import { type ImageReference, parseReference, type Repository } from '../../src/registry/reference.ts';
import { onEnd } from '../support/cleanup.ts';
import { registryKinds, type TestRegistry, type TestRegistryOptions } from '../support/registry.ts';

/** Name and options of each. */
export const everyRegistry: readonly (readonly [string, TestRegistryOptions])[] = registryKinds.flatMap(
  (kind) =>
    ([undefined, 'basic', 'bearer'] as const).flatMap((auth) =>
      [false, true].map((tls): readonly [string, TestRegistryOptions] => [
        [kind, auth ?? 'open', tls ? 'TLS' : 'plain'].join(' '),
        { kind, tls, ...(auth && { auth }) },
      ]),
    ),
);

/** With the credentials and the CA of the first of them. */
export function accessTo(registries: readonly TestRegistry[], options: RegistryOptions = {}): RegistryAccess {
  const [first] = registries;
  const ca = registries.flatMap((registry) => registry.ca ?? []).join('\n');
  const access = createRegistryAccess({
    credentials: dockerCredentials({ env: {}, directory: first?.dockerConfig }),
    ...(ca !== '' && { ca }),
    ...options,
  });
  onEnd(() => access.client.close());
  return access;
}

export function repositoryOn({ host }: TestRegistry, path = 'a/b'): Repository {
  return { registry: host, path };
}

export function referenceOn({ host }: TestRegistry, rest: string): ImageReference {
  return parseReference(`${host}/${rest}`);
}
