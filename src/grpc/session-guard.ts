// Watches one HTTP/2 session: that it starts, stays alive, is not idle for ever, and does not reset streams in bulk.

import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { GrpcLimits } from './limits.ts';
import { ResetBudget } from './reset-budget.ts';

/** Starts watching a new session; everything stops when it closes. */
export function guardSession(session: ServerHttp2Session, limits: GrpcLimits): void {
  session.on('error', () => session.destroy());
  expectSettings(session, limits.handshakeMs);
  keepAlive(session, limits);
  countStreams(session, limits);
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

function countStreams(session: ServerHttp2Session, limits: GrpcLimits): void {
  const budget = new ResetBudget(limits.maxResets, limits.resetWindowMs);
  let open = 0;
  let idle: NodeJS.Timeout | undefined;
  const startIdle = (): void => {
    idle = setTimeout(() => session.close(), limits.idleMs).unref();
  };
  startIdle();
  session.on('stream', (stream: ServerHttp2Stream) => {
    open += 1;
    clearTimeout(idle);
    stream.on('close', () => {
      open -= 1;
      if (open === 0 && !session.closed) startIdle();
      if (wasReset(stream) && !session.destroyed && !budget.spend(performance.now())) {
        session.destroy(new Error('too many streams were reset'), constants.NGHTTP2_ENHANCE_YOUR_CALM);
      }
    });
  });
  session.once('close', () => clearTimeout(idle));
}

/** Resets of either side count: a peer can also provoke ours with frames that break the protocol (CVE-2025-8671). */
function wasReset(stream: ServerHttp2Stream): boolean {
  return stream.aborted || stream.rstCode !== constants.NGHTTP2_NO_ERROR;
}
