// Whether a registry is spoken to with TLS: always, except where its host is named for plain HTTP, or is loopback and
// answers no TLS there.

import { connect } from 'node:tls';
import { RegistryError } from './errors.ts';
import { type DestinationRules, guardedLookup, isLoopbackName, type Zone } from './http/destination.ts';
import { failureOf } from './http/failure.ts';

/** The hosts that serve what a reference names otherwise. */
const servers: ReadonlyMap<string, string> = new Map([['docker.io', 'registry-1.docker.io']]);

/**
 * Where the registry's API is, as `https://host:port/v2/`.
 * @throws RegistryError ERR_REGISTRY_UNREACHABLE, ERR_REGISTRY_TIMEOUT when a loopback registry cannot be asked
 */
export async function baseUrlOf(
  registry: string,
  zone: Zone,
  rules: DestinationRules,
  connectMs: number,
  signal?: AbortSignal,
): Promise<URL> {
  const url = new URL(`https://${servers.get(registry) ?? registry}/v2/`);
  const isNamed = rules.plainHttp.has(url.host) || rules.plainHttp.has(url.hostname);
  const mayBePlain = zone === 'loopback' && isLoopbackName(url.hostname);
  const isPlain = isNamed || (mayBePlain && !(await hasTls(url, rules, connectMs, signal)));
  if (isPlain) url.protocol = 'http:';
  return url;
}

/** What OpenSSL says when the other side speaks something else. */
const notTls = new Set(['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG', 'EPROTO']);

/** Only looks; nothing is sent over this connection, so nothing depends on who is at its other end. */
async function hasTls(
  url: URL,
  rules: DestinationRules,
  connectMs: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  signal?.throwIfAborted();
  const seen = Promise.withResolvers<boolean>();
  const socket = connect({
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port || 443),
    lookup: guardedLookup('loopback', rules, () => signal),
    rejectUnauthorized: false,
  });
  const late = new RegistryError('ERR_REGISTRY_TIMEOUT', `${url.host} does not answer in time`);
  const timer = setTimeout(() => socket.destroy(late), connectMs);
  const abort = (): void => void socket.destroy(new Error('aborted'));
  signal?.addEventListener('abort', abort, { once: true });
  socket.on('secureConnect', () => seen.resolve(true));
  socket.on('error', (error: NodeJS.ErrnoException) => {
    if (signal?.aborted === true) seen.reject(signal.reason);
    else if (notTls.has(error.code ?? '') || error.code === 'ECONNRESET') seen.resolve(false);
    // Any other word of OpenSSL's is about TLS that is there.
    else if (error.code?.startsWith('ERR_SSL_') === true) seen.resolve(true);
    else seen.reject(failureOf(error, url));
  });
  try {
    return await seen.promise;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
    socket.destroy();
  }
}
