// A registry client for each set of credentials, over the connections and limits that all of them share.

import { LRUCache } from 'lru-cache';
import { type RegistryClient, registryAccess } from '../../registry/client.ts';
import { clientInTurn } from '../../registry/in-turn.ts';
import type { RegistryTransport } from '../../registry/transport.ts';
import type { PullCredentials } from './image-judge.ts';
import type { ImageJudgeLimits } from './limits.ts';

export type ScopeLimits = Pick<ImageJudgeLimits, 'maxScopes' | 'maxScopeBytes'>;

/** Its sessions with some registries. */
const clientBytes = 16 * 1024;

/** Equal credentials get the same client, with the tokens it has. */
export type ClientOf = (credentials: PullCredentials) => RegistryClient;

export function createScopedClients(
  transport: RegistryTransport,
  { maxScopes, maxScopeBytes }: ScopeLimits,
): ClientOf {
  const clients = new LRUCache<string, RegistryClient>({ max: maxScopes, maxSize: maxScopeBytes });
  return ({ scope, source, others = [], hint, bytes = 0 }) => {
    const known = clients.get(scope);
    if (known !== undefined) return known;
    const speak = (each: typeof source) => ({
      client: registryAccess(transport, each).client,
      source: each,
    });
    const client = clientInTurn([speak(source), ...others.map(speak)], hint);
    clients.set(scope, client, { size: clientBytes + bytes });
    return client;
  };
}
