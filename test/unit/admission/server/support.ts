// A webhook server on loopback, and ways to call it that an API server has, or an attacker.

import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { Agent, request } from 'undici';
import { ServingHolder } from '../../../../src/admission/certificate/serving-pair.ts';
import {
  startWebhookServer,
  type WebhookServer,
  type WebhookServerOptions,
} from '../../../../src/admission/server/server.ts';
import { onEnd } from '../../../support/cleanup.ts';
import { makeTls, type TlsFiles } from '../../../support/registry/tls.ts';

export const tls: TlsFiles = await makeTls();

export interface Started {
  readonly server: WebhookServer;
  readonly certificate: ServingHolder;
  /** Outcomes, by webhook. */
  readonly said: readonly string[];
  readonly failures: readonly { readonly error: unknown; readonly reference: string }[];
  /** One request on a connection of its own, unless an agent is given. */
  post(path: string, options?: PostOptions): Promise<Answer>;
}

interface PostOptions {
  readonly body?: string | Buffer;
  readonly type?: string;
  readonly agent?: Agent;
  readonly signal?: AbortSignal;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: unknown;
}

const echo: WebhookServerOptions['validate'] = async (body) => ({ body });

export async function start(options: Partial<WebhookServerOptions> = {}): Promise<Started> {
  const certificate = new ServingHolder({ certificate: tls.cert, key: tls.key });
  const said: string[] = [];
  const failures: { error: unknown; reference: string }[] = [];
  const server = await startWebhookServer({
    ...{ host: '127.0.0.1', port: 0, certificate, validate: echo, mutate: echo },
    report: {
      finished: (webhook, outcome) => said.push(`${webhook} ${outcome}`),
      failed: (_webhook, error, reference) => failures.push({ error, reference }),
      certificateRefused: ({ code }) => said.push(code),
    },
    ...options,
  });
  onEnd(() => server.close(0));
  return {
    ...{ server, certificate, said, failures },
    post: async (path, { body = '{}', type = 'application/json', agent: own = agent(), signal } = {}) => {
      const answer = await request(`https://${server.address}${path}`, {
        ...{ method: 'POST', dispatcher: own, body, headers: { 'content-type': type } },
        ...(signal && { signal }),
      });
      const text = await answer.body.text();
      return {
        status: answer.statusCode,
        headers: answer.headers,
        body: text === '' ? '' : JSON.parse(text),
      };
    },
  };
}

/** @param address of those that are this machine's */
export function agent(address = '127.0.0.1'): Agent {
  const made = new Agent({ connect: { ca: tls.ca }, localAddress: address, connections: 1, pipelining: 1 });
  onEnd(() => made.destroy());
  return made;
}

/** A handler that answers when it is told to. */
export function gate(): {
  readonly handler: WebhookServerOptions['validate'];
  readonly signals: readonly AbortSignal[];
  open(): void;
} {
  const signals: AbortSignal[] = [];
  const { promise, resolve } = Promise.withResolvers<object>();
  return {
    handler: (_body, signal) => {
      signals.push(signal);
      return promise;
    },
    signals,
    open: () => resolve({ opened: true }),
  };
}

/** A finished handshake. */
export async function handshake(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, ca: tls.ca, ...options });
  onEnd(() => socket.destroy());
  await once(socket, 'secureConnect');
  socket.on('error', () => {});
  return socket;
}

/** @param address of those that are this machine's */
export async function tcp(port: number, address = '127.0.0.1'): Promise<Socket> {
  const socket = connectTcp({ port, host: '127.0.0.1', localAddress: address });
  onEnd(() => socket.destroy());
  await once(socket, 'connect');
  socket.on('error', () => {});
  return socket;
}

export function closed(socket: Socket): Promise<unknown> {
  // What is not read does not end.
  socket.resume();
  // By a reset, where something was on its way.
  return socket.destroyed ? Promise.resolve() : new Promise((resolve) => socket.once('close', resolve));
}
