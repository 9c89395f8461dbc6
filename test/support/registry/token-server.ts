// The token endpoint that distribution's `auth: token` sends its clients to: JWTs that say what may be done.

import { createPrivateKey, randomUUID, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { SignJWT } from 'jose';
import { onEnd } from '../cleanup.ts';
import type { TlsFiles } from './tls.ts';

export const tokenService = 'test-registry';
export const tokenIssuer = 'test-issuer';

export interface TokenServer {
  /** The realm. */
  readonly url: string;
  /** What was asked for, as `METHOD scope scope…`. */
  readonly seen: readonly string[];
}

interface Accounts {
  readonly user: string;
  readonly password: string;
  readonly identityToken: string;
}

/**
 * @param signer the certificate that the registry trusts, and its key
 * @param tls what it serves with, when the registry has TLS too
 */
export async function startTokenServer(
  signer: TlsFiles,
  accounts: Accounts,
  tls: TlsFiles | undefined,
): Promise<TokenServer> {
  const seen: string[] = [];
  const answer: RequestListener = async (request, response) => {
    const query = await queryOf(request);
    const scopes = query.getAll('scope').flatMap((scope) => scope.split(' '));
    seen.push([request.method, ...scopes].join(' '));
    if (!mayHaveToken(request, query, accounts)) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="token"' }).end();
      return;
    }
    const token = await sign(scopes, accounts.user, signer);
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ token, expires_in: 300 }));
  };
  const server =
    tls === undefined ? createServer(answer) : createTlsServer({ cert: tls.cert, key: tls.key }, answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  const scheme = tls === undefined ? 'http' : 'https';
  return { url: `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}/token`, seen };
}

async function queryOf(request: IncomingMessage): Promise<URLSearchParams> {
  if (request.method === 'POST') return new URLSearchParams(await text(request));
  return new URL(request.url ?? '/', 'http://token').searchParams;
}

function mayHaveToken(request: IncomingMessage, query: URLSearchParams, accounts: Accounts): boolean {
  if (request.method === 'POST') return query.get('refresh_token') === accounts.identityToken;
  const basic = Buffer.from(`${accounts.user}:${accounts.password}`).toString('base64');
  return request.headers.authorization === `Basic ${basic}`;
}

/** As the distribution project specifies in "Token Authentication Implementation". */
async function sign(scopes: readonly string[], subject: string, signer: TlsFiles): Promise<string> {
  const access = scopes.map((scope) => {
    const [type = '', ...rest] = scope.split(':');
    return { type, name: rest.slice(0, -1).join(':'), actions: (rest.at(-1) ?? '').split(',') };
  });
  const chain = [new X509Certificate(signer.cert).raw.toString('base64')];
  return await new SignJWT({ access })
    .setProtectedHeader({ alg: 'ES256', typ: 'JWT', x5c: chain })
    .setIssuer(tokenIssuer)
    .setSubject(subject)
    .setAudience(tokenService)
    .setJti(randomUUID())
    .setIssuedAt()
    .setNotBefore('-10s')
    .setExpirationTime('5m')
    .sign(createPrivateKey(signer.key));
}
