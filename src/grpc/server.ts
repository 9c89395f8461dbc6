// A gRPC server on node:http2. It moves raw message bytes; what they mean is its handlers' business.

import type { Http2SecureServer, Http2Server, ServerHttp2Session } from 'node:http2';
import type { Method } from './call.ts';
import { Dispatcher, type GrpcServerHooks } from './dispatcher.ts';
import { type GrpcLimits, grpcLimits, http2Settings } from './limits.ts';
import { guardSession } from './session-guard.ts';
import { GrpcError, status } from './status.ts';

export interface GrpcServer {
  /**
   * Stops accepting, announces GOAWAY, ends endless calls at once and gives the others `graceMs` to finish; what is left
   * then is told UNAVAILABLE and its connection is closed. Resolves when no session is left.
   */
  close(graceMs: number): Promise<void>;
}

/** Time for the last frames to leave once the grace is over. */
const flushMs = 500;

/**
 * Serves `methods` on an HTTP/2 server, which the caller creates with `http2ServerOptions(limits)` and listens with.
 */
export function serveGrpc(
  server: Http2Server | Http2SecureServer,
  methods: ReadonlyMap<string, Method>,
  limits?: Partial<GrpcLimits>,
  hooks: GrpcServerHooks = {},
): GrpcServer {
  const all = grpcLimits(limits);
  return new Listener(server, new Dispatcher(methods, all, hooks), all);
}

/** The server's connections, from their first byte to the graceful end. */
class Listener implements GrpcServer {
  readonly #server: Http2Server | Http2SecureServer;
  readonly #dispatcher: Dispatcher;
  readonly #sessions = new Set<ServerHttp2Session>();
  #closing: Promise<void> | undefined;

  constructor(server: Http2Server | Http2SecureServer, dispatcher: Dispatcher, limits: GrpcLimits) {
    this.#server = server;
    this.#dispatcher = dispatcher;
    server.updateSettings(http2Settings(limits));
    server.maxConnections = limits.maxSessions;
    server.on('session', (session: ServerHttp2Session): void => {
      // A TLS handshake that was under way when the server began to close.
      if (this.#closing !== undefined) {
        session.close();
        return;
      }
      this.#sessions.add(session);
      session.once('close', () => this.#sessions.delete(session));
      guardSession(session, limits, dispatcher);
    });
  }

  close(graceMs: number): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  async #close(graceMs: number): Promise<void> {
    this.#server.close();
    const closed = [...this.#sessions].map(
      (session) => new Promise((resolve) => session.once('close', resolve)),
    );
    for (const session of this.#sessions) session.close();
    const shutdown = new GrpcError(status.unavailable, 'the server is shutting down; call again');
    this.#dispatcher.endEndless(shutdown);
    const endAll = setTimeout(() => this.#dispatcher.endAll(shutdown), graceMs);
    const destroyAll = setTimeout(() => {
      for (const session of this.#sessions) session.destroy();
    }, graceMs + flushMs);
    await Promise.all(closed);
    clearTimeout(endAll);
    clearTimeout(destroyAll);
  }
}
