// A registry with somebody between it and who asks: what is sent is kept, what is answered can be changed. So are lying, slow and
// flooding registries made, and found out what they were told.

import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { request } from 'undici';
import { onEnd } from '../cleanup.ts';
import { type PushedManifest, pushTestImage, type TestImage } from '../registry/images.ts';
import type { TestRegistry } from '../registry.ts';

export interface SeenRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Answers by itself, or leaves it to the registry: `undefined`. A socket may be answered by hand: `taken`. */
export type Intercept = (
  seen: SeenRequest,
  response: ServerResponse,
  ask: () => Promise<Answered>,
) => Promise<Answered | 'taken' | undefined>;

export interface RegistryFront {
  /** `127.0.0.1:port`, as it stands in references. */
  readonly host: string;
  readonly seen: readonly SeenRequest[];
  forget(): void;
  /** Into the registry behind, named as it is reached from here. */
  push(image: TestImage): Promise<PushedManifest>;
  /** From now on, until `undefined`. */
  intercept(by: Intercept | undefined): void;
}

/** @param behind without authentication and TLS; undefined: there is none, and everything is intercepted */
export async function startRegistryFront(behind: TestRegistry | undefined): Promise<RegistryFront> {
  const seen: SeenRequest[] = [];
  let by: Intercept | undefined;
  const server = createServer(async (incoming, response) => {
    const { method = 'GET', url: path = '/', headers } = incoming;
    const body = await buffer(incoming);
    const asked = { method, path, headers };
    seen.push(asked);
    const ask = () => forward(behind, asked, body);
    try {
      const answer = (await by?.(asked, response, ask)) ?? (await ask());
      if (answer === 'taken') return;
      response.writeHead(answer.status, answer.headers);
      response.end(method === 'HEAD' ? undefined : answer.body);
    } catch {
      response.destroy();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const host = `127.0.0.1:${address.port}`;
  return {
    ...{ host, seen },
    push: async (image) => {
      if (behind === undefined) throw new Error('there is no registry');
      const pushed = await pushTestImage(behind, image);
      return { ...pushed, reference: `${host}/${image.repository}@${pushed.digest}` };
    },
    forget: () => {
      seen.length = 0;
    },
    intercept: (next) => {
      by = next;
    },
  };
}

/** Of one connection alone. */
const hopByHop = new Set(['connection', 'keep-alive', 'transfer-encoding', 'host', 'expect']);

async function forward(
  behind: TestRegistry | undefined,
  { method, path, headers }: SeenRequest,
  body: Buffer,
): Promise<Answered> {
  if (behind === undefined) return { status: 404, headers: {}, body: Buffer.alloc(0) };
  const kept = Object.entries(headers).filter(([name]) => !hopByHop.has(name));
  const answer = await request(`${behind.url}${path}`, {
    method: method as 'GET',
    headers: Object.fromEntries(kept),
    body: body.byteLength === 0 ? null : body,
  });
  const bytes = Buffer.from(await answer.body.arrayBuffer());
  const own = Object.entries(answer.headers).flatMap(([name, value]) =>
    hopByHop.has(name) || value === undefined ? [] : [[name, String(value)] as const],
  );
  return { status: answer.statusCode, headers: Object.fromEntries(own), body: bytes };
}

export function jsonAnswer(body: unknown, contentType = 'application/json', status = 200): Answered {
  return { status, headers: { 'content-type': contentType }, body: Buffer.from(JSON.stringify(body)) };
}
