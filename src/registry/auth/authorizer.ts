// The Authorization header for one registry: what it asked for the first time is given unasked from then on.

import { RegistryError } from '../errors.ts';
import type { Zone } from '../http/destination.ts';
import type { Exchange } from '../http/exchange.ts';
import type { Repository } from '../reference.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { type Challenge, chooseChallenge } from './challenge.ts';
import { basicHeader, type CredentialSource } from './credentials.ts';
import { checkRealm, fetchToken, type Token } from './token.ts';
import type { TokenStore } from './token-store.ts';

/** `repository:<path>:pull` or `repository:<path>:pull,push`. */
export type Scope = `repository:${string}`;

export interface Access {
  readonly repository: Repository;
  readonly scopes: readonly Scope[];
}

export interface AuthorizerOptions {
  /** Of the registry, with its scheme: nothing is said to any other origin but its token endpoint. */
  readonly registry: URL;
  readonly zone: Zone;
  readonly credentials: CredentialSource;
  readonly exchange: Exchange;
  readonly tokens: TokenStore;
  readonly now: () => Date;
}

export interface Authorizer {
  /** The header for a request that nobody has refused yet; undefined when the registry has asked for nothing so far. */
  header(access: Access, signal?: AbortSignal): Promise<string | undefined>;
  /**
   * The header after a 401.
   * @param refused the header that was refused
   * @throws RegistryError ERR_REGISTRY_UNAUTHORIZED when there is no other one to try
   */
  answer(
    challenge: string | undefined,
    access: Access,
    refused: string | undefined,
    signal?: AbortSignal,
  ): Promise<string>;
  /** What to throw when nothing that was sent is taken. */
  refusal(access: Access, signal?: AbortSignal): Promise<RegistryError>;
}

export function createAuthorizer(options: AuthorizerOptions): Authorizer {
  const { registry, zone, credentials, exchange, now } = options;
  const tokens = options.tokens.own();
  /** What the registry asked for last. */
  let asked: Challenge | undefined;
  const underWay = new Map<string, Promise<Token>>();

  async function headerFor(
    challenge: Challenge,
    access: Access,
    signal: AbortSignal | undefined,
  ): Promise<string | undefined> {
    const who = await credentials(access.repository, signal);
    if (who?.kind === 'registry-token') return `Bearer ${who.token}`;
    if (challenge.scheme === 'bearer') return `Bearer ${(await tokenFor(challenge, access, signal)).value}`;
    return who?.kind === 'password' ? basicHeader(who.username, who.password) : undefined;
  }

  async function tokenFor(
    challenge: Challenge & { readonly scheme: 'bearer' },
    access: Access,
    signal: AbortSignal | undefined,
  ): Promise<Token> {
    const key = keyOf(access);
    const held = tokens.get(key);
    if (held !== undefined && held.expiresAt > now()) return held;
    tokens.delete(key);
    // Many requests that start together need one token. It is not any one caller's to cancel.
    const started = underWay.get(key) ?? start(challenge, access, key);
    return await unlessAborted(started, signal);
  }

  function start(
    challenge: Challenge & { readonly scheme: 'bearer' },
    access: Access,
    key: string,
  ): Promise<Token> {
    const token = (async () => {
      try {
        const realm = checkRealm(challenge.realm, registry);
        const who = await credentials(access.repository);
        const request = { realm, service: challenge.service, scopes: access.scopes, credentials: who, zone };
        const fresh = await fetchToken(request, exchange, now);
        tokens.set(key, fresh);
        return fresh;
      } finally {
        underWay.delete(key);
      }
    })();
    underWay.set(key, token);
    // All who wait for it may have gone.
    token.catch(() => {});
    return token;
  }

  async function refusal({ repository }: Access, signal: AbortSignal | undefined): Promise<RegistryError> {
    return unauthorized(registry.host, (await credentials(repository, signal)) !== undefined);
  }

  return {
    refusal,
    header: async (access, signal) => {
      const remembered = asked;
      if (remembered === undefined) return undefined;
      try {
        return await headerFor(remembered, access, signal);
      } catch {
        signal?.throwIfAborted();
        // What it asked for then may not be what it asks for now: without it, it says so again.
        if (asked === remembered) asked = undefined;
        return undefined;
      }
    },
    answer: async (text, access, refused, signal) => {
      const challenge = chooseChallenge(text, registry.host);
      asked = challenge;
      const key = keyOf(access);
      // Another request may have got a new token since.
      if (refused === `Bearer ${tokens.get(key)?.value}`) tokens.delete(key);
      const header = await headerFor(challenge, access, signal);
      if (header !== undefined && header !== refused) return header;
      throw await refusal(access, signal);
    },
  };
}

function keyOf({ scopes }: Access): string {
  return scopes.join(' ');
}

function unauthorized(host: string, hadCredentials: boolean): RegistryError {
  return new RegistryError(
    'ERR_REGISTRY_UNAUTHORIZED',
    hadCredentials
      ? `${host} does not take the credentials it got: log in again (docker login ${host})`
      : `${host} asks for credentials, and there are none for it: log in (docker login ${host})`,
    { status: 401 },
  );
}
