// A gRPC server on a free loopback port, and clients of it that are gone when the test is.

import { once } from 'node:events';
import { type ClientHttp2Session, connect, createServer, type OutgoingHttpHeaders } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { onTestFinished } from 'vitest';
import type { Method, StreamHandler, UnaryHandler } from '../../../src/grpc/call.ts';
import { type GrpcLimits, grpcLimits, http2ServerOptions } from '../../../src/grpc/limits.ts';
import { type GrpcServer, serveGrpc } from '../../../src/grpc/server.ts';

export interface TestServer {
  readonly port: number;
  readonly grpc: GrpcServer;
  /** What handlers threw that was no GrpcError. */
  readonly handlerErrors: unknown[];
}

export const unary = (handle: UnaryHandler): Method => ({ kind: 'unary', handle });
export const stream = (handle: StreamHandler): Method => ({ kind: 'stream', handle });

export async function startServer(
  methods: Readonly<Record<string, Method>>,
  limits: Partial<GrpcLimits> = {},
): Promise<TestServer> {
  const server = createServer(http2ServerOptions(grpcLimits(limits)));
  const handlerErrors: unknown[] = [];
  const grpc = serveGrpc(server, new Map(Object.entries(methods)), limits, {
    onHandlerError: (error) => handlerErrors.push(error),
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => grpc.close(0));
  return { port: (server.address() as AddressInfo).port, grpc, handlerErrors };
}

/** The independent client: grpc-js, raw bytes in and out. */
export function grpcJsClient(port: number): Client {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
    'grpc.enable_retries': 0,
  });
  onTestFinished(() => client.close());
  return client;
}

export const bytes = (value: Buffer): Buffer => value;

/** A unary call through grpc-js; its error when it fails. */
export function callUnary(
  client: Client,
  path: string,
  request: Buffer,
  options: { readonly deadline?: number } = {},
): Promise<Buffer | ServiceError> {
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, bytes, bytes, request, options, (error, response) =>
      resolve(error ?? response ?? Buffer.alloc(0)),
    );
  });
}

/** A plain HTTP/2 session. */
export async function http2Session(port: number): Promise<ClientHttp2Session> {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  onTestFinished(() => session.destroy());
  await once(session, 'connect');
  return session;
}

export const requestHeaders = (path: string): OutgoingHttpHeaders => ({
  ':method': 'POST',
  ':path': path,
  'content-type': 'application/grpc',
  te: 'trailers',
});

/** A promise with its levers outside. */
export function deferred<T = void>(): PromiseWithResolvers<T> {
  return Promise.withResolvers<T>();
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
