// The session of each registry, made when it is first needed: until then it is not known whether it has TLS.

import { createAuthorizer } from './auth/authorizer.ts';
import type { CredentialSource } from './auth/credentials.ts';
import { RegistryError } from './errors.ts';
import { type DestinationRules, isLoopbackName, type Zone } from './http/destination.ts';
import type { Exchange } from './http/exchange.ts';
import { type RetryRules, Transient, withRetries } from './http/retry.ts';
import { createSlots } from './http/slots.ts';
import type { RegistryLimits } from './limits.ts';
import { baseUrlOf } from './scheme.ts';
import { createSession, type Session } from './session.ts';

export interface SessionsOptions {
  readonly rules: DestinationRules;
  /** False where references come from people who must not reach this machine's own services. */
  readonly loopbackRegistries: boolean;
  readonly credentials: CredentialSource;
  readonly exchange: Exchange;
  readonly limits: RegistryLimits;
  readonly retry: RetryRules;
}

/** @throws RegistryError */
export type SessionOf = (registry: string, signal?: AbortSignal) => Promise<Session>;

/** A client that looks at images of thousands of registries keeps what it learned about the last ones. */
const maxSessions = 256;

export function createSessions(options: SessionsOptions): SessionOf {
  const { rules, loopbackRegistries, credentials, exchange, limits, retry } = options;
  const sessions = new Map<string, Session>();

  async function create(registry: string, signal: AbortSignal | undefined): Promise<Session> {
    const { hostname } = new URL(`https://${registry}`);
    const zone: Zone = loopbackRegistries && isLoopbackName(hostname) ? 'loopback' : 'public';
    const base = await reachable(
      () => baseUrlOf(registry, zone, rules, limits.connectMs, signal),
      retry,
      signal,
    );
    const { now } = retry;
    const authorizer = createAuthorizer({ registry: base, zone, credentials, exchange, now });
    const slots = createSlots(limits.maxConcurrency);
    const { maxRedirects } = limits;
    return createSession({ base, zone, exchange, authorizer, slots, retry, maxRedirects });
  }

  return async (registry, signal) => {
    const held = sessions.get(registry) ?? (await create(registry, signal));
    // Two that were made at the same time: the first one stays.
    const session = sessions.get(registry) ?? held;
    sessions.set(registry, session);
    const [oldest] = sessions.keys();
    if (sessions.size > maxSessions && oldest !== undefined) sessions.delete(oldest);
    return session;
  };
}

async function reachable(
  look: () => Promise<URL>,
  retry: RetryRules,
  signal: AbortSignal | undefined,
): Promise<URL> {
  const attempt = async (): Promise<URL | Transient> => {
    try {
      return await look();
    } catch (error) {
      if (error instanceof RegistryError && error.code === 'ERR_REGISTRY_UNREACHABLE') {
        return new Transient(error);
      }
      throw error;
    }
  };
  return await withRetries(retry, attempt, signal);
}
