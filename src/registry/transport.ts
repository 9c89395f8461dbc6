// What all who speak to registries share, whoever they are there: connections, rules of where they may go, limits, and the
// count of requests. Nothing of it knows credentials; it keeps the tokens got for them, apart from each other.

import { createTokenStore, type TokenStore } from './auth/token-store.ts';
import { createConnections } from './http/connections.ts';
import { destinationRules } from './http/destination.ts';
import { createExchange, type Exchange } from './http/exchange.ts';
import type { RetryRules } from './http/retry.ts';
import type { RegistryLimits } from './limits.ts';
import { type Mirrors, parseMirrors } from './mirrors.ts';
import { type RegistryOptions, withDefaults } from './options.ts';
import { createPlaces, type PlaceOf } from './places.ts';

export type TransportOptions = Omit<RegistryOptions, 'credentials'>;

export interface RegistryTransport {
  readonly limits: RegistryLimits;
  readonly retry: RetryRules;
  readonly mirrors: Mirrors;
  readonly exchange: Exchange;
  readonly placeOf: PlaceOf;
  /** Each set of credentials sees only its own. */
  readonly tokens: TokenStore;
  /** How many HTTP requests were sent so far. */
  requests(): number;
  /** Closes connections that are open; requests still under way fail. */
  close(): Promise<void>;
}

/** Nothing is connected to before the first request. @throws RegistryError ERR_REGISTRY_CONFIGURATION, ERR_REFERENCE_INVALID */
export function createRegistryTransport(options: TransportOptions = {}): RegistryTransport {
  const full = withDefaults(options);
  const { limits, now, random, sleep, loopbackRegistries } = full;
  const mirrors = parseMirrors(full.mirrors);
  const rules = destinationRules({ ...options, plainHttp: full.plainHttp });
  const connections = createConnections({
    ca: full.ca,
    proxyFor: full.proxyFor,
    rules,
    connectMs: limits.connectMs,
  });
  let sent = 0;
  const exchange = createExchange(connections, limits, () => {
    sent += 1;
  });
  const { maxAttempts, maxPauseMs } = limits;
  const retry = { maxAttempts, maxPauseMs, now, random, sleep };
  const placeOf = createPlaces({ rules, loopbackRegistries, limits, retry });
  return {
    ...{ limits, retry, mirrors, exchange, placeOf },
    tokens: createTokenStore(),
    requests: () => sent,
    close: () => connections.close(),
  };
}
