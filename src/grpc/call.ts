// What a method handler is given, and what it may be.

import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';

export interface Call {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** The connection: its socket carries the peer's certificate. */
  readonly session: ServerHttp2Session;
  /** Aborts at the deadline, when the caller cancels, and when the connection is lost; its reason is a GrpcError. */
  readonly signal: AbortSignal;
}

export interface StreamCall extends Call {
  /** The caller's messages until it half-closes; throws a GrpcError when the call ends otherwise. One consumer. */
  readonly messages: AsyncIterable<Uint8Array>;
  /** Sends one message, whole or in pieces that are not copied; resolves when the transport wants more. Throws the signal's reason once the call is over. */
  write(message: Uint8Array | readonly Uint8Array[]): Promise<void>;
}

/**
 * The request is a view of what was read from the socket: whoever keeps a part of it, and does not copy it, keeps all of
 * that. An answer that is there at once costs least; one that takes time is a promise.
 */
export type UnaryHandler = (request: Uint8Array, call: Call) => Uint8Array | Promise<Uint8Array>;

/** Server or bidirectional streaming. Returning means status OK, throwing a GrpcError its status. */
export type StreamHandler = (call: StreamCall) => Promise<void>;

/** Owns the HTTP/2 stream: answers, limits and ends it by itself. */
export type RawHandler = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

export type Method =
  | {
      readonly kind: 'unary';
      readonly handle: UnaryHandler;
      /** Where a request is known to be small, less than the server's `maxMessageBytes`. */
      readonly maxRequestBytes?: number;
      /** Called before the request is read; throws a GrpcError for a caller who may not make this call at all. */
      readonly admit?: (call: Call) => void;
    }
  /** `endless`: the call never ends by itself (a subscription), so a closing server ends it at once instead of waiting for it. */
  | { readonly kind: 'stream'; readonly handle: StreamHandler; readonly endless?: boolean }
  | { readonly kind: 'raw'; readonly handle: RawHandler };
