// Watches one HTTP/2 session: that it starts, stays alive, is not idle for ever, and does not reset streams in bulk.

import {
  constants,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { GrpcLimits } from './limits.ts';
import { ResetBudget } from './reset-budget.ts';

/** Who gets the streams that pass. */
export interface StreamOwner {
  opened(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void;
  closed(stream: ServerHttp2Stream): void;
}

/** Starts watching a new session; everything stops when it closes. */
export function guardSession(session: ServerHttp2Session, limits: GrpcLimits, owner: StreamOwner): void {
  session.on('error', () => session.destroy());
  expectSettings(session, limits.handshakeMs);
  keepAlive(session, limits);
  const guard = new StreamGuard(session, limits, owner);
  session.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) =>
    guard.opened(stream, headers),
  );
}

/**
 * A peer that connects and says nothing, or never finishes its preface, holds a connection for nothing. One that does not
 * acknowledge our SETTINGS is not bound by them (RFC 9113 §6.5.3).
 */
function expectSettings(session: ServerHttp2Session, handshakeMs: number): void {
  const timer = setTimeout(() => session.destroy(), handshakeMs).unref();
  let missing = 2;
  const arrived = (): void => {
    missing -= 1;
    if (missing === 0) clearTimeout(timer);
  };
  session.once('remoteSettings', arrived);
  session.once('localSettings', arrived);
  session.once('close', () => clearTimeout(timer));
}

function keepAlive(session: ServerHttp2Session, limits: GrpcLimits): void {
  let deadline: NodeJS.Timeout | undefined;
  const interval = setInterval(() => {
    if (deadline !== undefined || session.destroyed) return;
    deadline = setTimeout(() => session.destroy(), limits.pingTimeoutMs).unref();
    session.ping(() => {
      clearTimeout(deadline);
      deadline = undefined;
    });
  }, limits.pingIntervalMs).unref();
  session.once('close', () => {
    clearInterval(interval);
    clearTimeout(deadline);
  });
}

/** Where a stream keeps its guard: the listener is the same function for all streams, because each call pays for what it makes. */
const slot = Symbol('guard');

type GuardedStream = ServerHttp2Stream & { [slot]?: StreamGuard };

class StreamGuard {
  readonly #session: ServerHttp2Session;
  readonly #owner: StreamOwner;
  readonly #budget: ResetBudget;
  readonly #idle: NodeJS.Timeout;
  #open = 0;

  constructor(session: ServerHttp2Session, limits: GrpcLimits, owner: StreamOwner) {
    this.#session = session;
    this.#owner = owner;
    this.#budget = new ResetBudget(limits.maxResets, limits.resetWindowMs);
    // Begun anew when the last stream closes, but not stopped when the first one opens: each lone call would pay for that.
    this.#idle = setTimeout(() => {
      if (this.#open === 0) session.close();
    }, limits.idleMs).unref();
    session.once('close', () => clearTimeout(this.#idle));
  }

  opened(stream: GuardedStream, headers: IncomingHttpHeaders): void {
    this.#open += 1;
    stream[slot] = this;
    stream.on('close', onClose);
    this.#owner.opened(stream, headers);
  }

  closed(stream: ServerHttp2Stream): void {
    this.#owner.closed(stream);
    this.#open -= 1;
    const session = this.#session;
    if (this.#open === 0 && !session.closed) this.#idle.refresh();
    if (wasReset(stream) && !session.destroyed && !this.#budget.spend(performance.now())) {
      session.destroy(new Error('too many streams were reset'), constants.NGHTTP2_ENHANCE_YOUR_CALM);
    }
  }
}

function onClose(this: GuardedStream): void {
  this[slot]?.closed(this);
}

/** Resets of either side count: a peer can also provoke ours with frames that break the protocol (CVE-2025-8671). */
function wasReset(stream: ServerHttp2Stream): boolean {
  return stream.aborted || stream.rstCode !== constants.NGHTTP2_NO_ERROR;
}
