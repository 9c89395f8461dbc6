// Clients for scripted registries: without pauses, and with little patience.

import {
  createRegistryAccess,
  type RegistryAccess,
  type RegistryClient,
} from '../../../../src/registry/client.ts';
import type { Resolve } from '../../../../src/registry/http/destination.ts';
import type { RegistryOptions } from '../../../../src/registry/options.ts';
import type { Repository } from '../../../../src/registry/reference.ts';
import { onEnd } from '../../../support/cleanup.ts';
import type { Scripted } from './server.ts';

export interface TestClient extends RegistryClient {
  /** The pauses that were asked for, in milliseconds. */
  readonly pauses: readonly number[];
  readonly access: RegistryAccess;
}

/** Speaks to these servers without TLS. */
export function clientFor(servers: readonly Scripted[], options: RegistryOptions = {}): TestClient {
  const pauses: number[] = [];
  const access = createRegistryAccess({
    plainHttp: servers.map(({ host }) => host),
    random: () => 1,
    sleep: async (ms) => void pauses.push(ms),
    ...options,
  });
  onEnd(() => access.client.close());
  return { ...access.client, pauses, access };
}

export function repositoryOn({ host }: Scripted, path = 'a/b'): Repository {
  return { registry: host, path };
}

/** Names that resolve to addresses of this machine, in place of DNS. */
export function resolving(names: Readonly<Record<string, string | readonly string[]>>): Resolve {
  return async (name) => {
    const found = names[name];
    const addresses = found === undefined ? [] : [found].flat();
    if (addresses.length === 0) throw Object.assign(new Error('not found'), { code: 'ENOTFOUND' });
    return addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  };
}

/** The code of the error that a promise rejects with. */
export async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    (value) => ({ resolved: value }),
    (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
  );
}
