// Tokens from a registry's token endpoint: the distribution project's "Token Authentication Specification" (GET with a
// password), and its OAuth2 variant (POST with an identity token).

import { RegistryError } from '../errors.ts';
import { isLoopbackName, type Zone } from '../http/destination.ts';
import type { Exchange, Outgoing } from '../http/exchange.ts';
import { isJsonObject, parseStrictJson } from '../strict-json.ts';
import { basicHeader, type Credentials } from './credentials.ts';

export interface TokenRequest {
  readonly realm: URL;
  readonly service: string | undefined;
  readonly scopes: readonly string[];
  readonly credentials: Credentials | undefined;
  readonly zone: Zone;
}

export interface Token {
  readonly value: string;
  readonly expiresAt: Date;
}

const clientId = 'trellis';

const maxAnswerBytes = 256 * 1024;
const maxDepth = 8;
/** What the specification says when the answer does not. */
const defaultLifetimeS = 60;
/** A revoked account is noticed by then, whatever the answer says. */
const maxLifetimeS = 3_600;
/** Not used so near to its end: the request it goes with takes time, and clocks differ. */
const expiryMarginMs = 10_000;

/** RFC 6750 §2.1's b64token and everything else that is visible: nothing that ends a header. */
const tokenPattern = /^[\x21-\x7e]{1,65536}$/;

/**
 * The realm as a URL that credentials of that registry may be sent to: with TLS, except that what is spoken to without
 * it may name itself, or a token endpoint beside it on this machine.
 * @throws RegistryError ERR_REGISTRY_PROTOCOL, ERR_REGISTRY_PLAIN_HTTP
 */
export function checkRealm(realm: string, registry: URL): URL {
  const url = URL.parse(realm);
  if (url === null || url.username !== '' || url.password !== '') {
    throw new RegistryError('ERR_REGISTRY_PROTOCOL', `${registry.host} names no token endpoint`);
  }
  url.hash = '';
  if (url.protocol === 'https:') return url;
  const isBeside = isLoopbackName(registry.hostname) && isLoopbackName(url.hostname);
  if (
    url.protocol === 'http:' &&
    registry.protocol === 'http:' &&
    (url.hostname === registry.hostname || isBeside)
  ) {
    return url;
  }
  throw new RegistryError(
    'ERR_REGISTRY_PLAIN_HTTP',
    `${registry.host} has its tokens at ${url.protocol}//${url.host}: credentials are not sent there without TLS`,
  );
}

/** @throws RegistryError ERR_REGISTRY_UNAUTHORIZED when the endpoint refuses, and as `exchange` */
export async function fetchToken(
  request: TokenRequest,
  exchange: Exchange,
  now: () => Date,
  signal?: AbortSignal,
): Promise<Token> {
  const answer = await exchange(outgoing(request), signal);
  const { host } = request.realm;
  if (answer.status !== 200) {
    await answer.discard();
    throw refused(answer.status, host);
  }
  return parseToken(await answer.bytes(maxAnswerBytes), host, now());
}

function outgoing({ realm, service, scopes, credentials, zone }: TokenRequest): Outgoing {
  if (credentials?.kind === 'identity-token') {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      client_id: clientId,
      service: service ?? '',
      scope: scopes.join(' '),
      refresh_token: credentials.token,
    });
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const body = Buffer.from(form.toString());
    return { method: 'POST', url: realm, headers, body, zone, maxBytes: maxAnswerBytes };
  }
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set('service', service);
  url.searchParams.delete('scope');
  for (const scope of scopes) url.searchParams.append('scope', scope);
  const headers: Record<string, string> = {};
  if (credentials?.kind === 'password') {
    headers['authorization'] = basicHeader(credentials.username, credentials.password);
  }
  return { method: 'GET', url, headers, zone, maxBytes: maxAnswerBytes };
}

function refused(status: number, host: string): RegistryError {
  if (status === 429) {
    return new RegistryError('ERR_REGISTRY_RATE_LIMITED', `${host} gives no token: too many requests`, {
      status,
    });
  }
  if (status >= 500) {
    return new RegistryError('ERR_REGISTRY_UNREACHABLE', `${host} gives no token: it answers ${status}`, {
      status,
    });
  }
  // A redirect is refused too: the credentials were meant for the endpoint that the registry named.
  return new RegistryError(
    'ERR_REGISTRY_UNAUTHORIZED',
    `${host} gives no token (${status}): are the credentials of the registry right?`,
    { status },
  );
}

function parseToken(bytes: Uint8Array, host: string, now: Date): Token {
  const answer = parseStrictJson(bytes, { maxBytes: maxAnswerBytes, maxDepth });
  const { token, access_token: access, expires_in: lifetime } = isJsonObject(answer) ? answer : {};
  const value = token ?? access;
  if (typeof value !== 'string' || !tokenPattern.test(value)) {
    throw new RegistryError('ERR_REGISTRY_PROTOCOL', `${host} answers with no token`);
  }
  const seconds = typeof lifetime === 'number' && lifetime > 0 ? lifetime : defaultLifetimeS;
  const ms = Math.min(seconds, maxLifetimeS) * 1000 - expiryMarginMs;
  return { value, expiresAt: new Date(now.getTime() + Math.max(ms, 0)) };
}
