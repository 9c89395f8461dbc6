// An HTTP server that answers what a test tells it to: registries that lie, hang and lead elsewhere.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { onEnd } from '../../../support/cleanup.ts';
import { loopbackAddress } from '../../../support/ports.ts';

export interface Seen {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export interface Scripted {
  /** `127.a.b.c:port` */
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly url: string;
  /** Every request so far. */
  readonly seen: readonly Seen[];
  /** `METHOD path` of each. */
  lines(): readonly string[];
}

export type Script = (request: Seen, response: ServerResponse) => unknown;

/** Ends with the test. */
export async function serve(
  script: Script,
  tls?: { readonly cert: string; readonly key: string },
): Promise<Scripted> {
  const seen: Seen[] = [];
  const listener = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = '', url = '', headers } = request;
    // A client that goes away while it sends is part of some tests.
    const body = await buffer(request).catch(() => Buffer.alloc(0));
    const one = { method, path: url, headers, body };
    seen.push(one);
    await script(one, response);
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  const address = tls === undefined ? loopbackAddress() : '127.0.0.1';
  server.listen(0, address);
  await once(server, 'listening');
  onEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const host = `${address}:${port}`;
  const url = `${tls === undefined ? 'http' : 'https'}://${host}`;
  return { host, address, port, url, seen, lines: () => seen.map(({ method, path }) => `${method} ${path}`) };
}

/** Answers at once. */
export function answer(
  response: ServerResponse,
  status: number,
  headers: Record<string, string | readonly string[]> = {},
  body: Uint8Array | string = '',
): void {
  response.writeHead(status, headers as Record<string, string | string[]>);
  response.end(body);
}
