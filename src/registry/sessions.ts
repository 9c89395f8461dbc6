// The sessions of one set of credentials, one for each registry.

import { createAuthorizer } from './auth/authorizer.ts';
import type { CredentialSource } from './auth/credentials.ts';
import type { TokenStore } from './auth/token-store.ts';
import type { Exchange } from './http/exchange.ts';
import type { RetryRules } from './http/retry.ts';
import type { RegistryLimits } from './limits.ts';
import type { Place, PlaceOf } from './places.ts';
import { createSession, type Session } from './session.ts';

export interface SessionsOptions {
  readonly placeOf: PlaceOf;
  readonly credentials: CredentialSource;
  readonly exchange: Exchange;
  readonly tokens: TokenStore;
  readonly limits: RegistryLimits;
  readonly retry: RetryRules;
}

/** @throws RegistryError */
export type SessionOf = (registry: string, signal?: AbortSignal) => Promise<Session>;

/** As many as there are places. */
const maxSessions = 256;

export function createSessions(options: SessionsOptions): SessionOf {
  const { placeOf, credentials, exchange, tokens, limits, retry } = options;
  const { now } = retry;
  const sessions = new Map<string, Session>();

  function create({ base, zone, slots }: Place): Session {
    const authorizer = createAuthorizer({ registry: base, zone, credentials, exchange, tokens, now });
    const { maxRedirects } = limits;
    return createSession({ base, zone, exchange, authorizer, slots, retry, maxRedirects });
  }

  return async (registry, signal) => {
    const known = sessions.get(registry);
    if (known !== undefined) return known;
    const place = await placeOf(registry, signal);
    // Another request may have made it meanwhile.
    const session = sessions.get(registry) ?? create(place);
    sessions.set(registry, session);
    const [oldest] = sessions.keys();
    if (sessions.size > maxSessions && oldest !== undefined) sessions.delete(oldest);
    return session;
  };
}
