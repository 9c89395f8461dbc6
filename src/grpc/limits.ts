// Every limit of the gRPC server, its default and why, in one place.

import type { SecureServerOptions } from 'node:http2';

/** Bytes, counts and milliseconds. A limit is a property of the server, so that a public listener and a pod's own socket can differ. */
export interface GrpcLimits {
  /** One message, either way. 4 MiB is what gRPC implementations default to. */
  readonly maxMessageBytes: number;
  /** One header block, as RFC 9113 §6.5.2 counts it. Room for a JWT, not for more. */
  readonly maxHeaderBytes: number;
  /** Headers in one block. */
  readonly maxHeaderPairs: number;
  /** Streams open at once in one session. An agent carries a few per proxy. */
  readonly maxConcurrentStreams: number;
  /** Connections at once, those still in their TLS handshake included. */
  readonly maxSessions: number;
  /** What the native side may hold for one session; above it new streams are refused. Full streams leave it about 64 KiB each. */
  readonly maxSessionMemoryMiB: number;
  /** Unsent bytes of one stream at which write() fails: only a handler that does not await it gets here. */
  readonly maxOutboundBytes: number;
  /** From accepting a connection to the peer's HTTP/2 SETTINGS and its acknowledgement of ours; the TLS handshake has the same time for itself. */
  readonly handshakeMs: number;
  /** A session without open streams is closed after this. */
  readonly idleMs: number;
  /** Pings find peers that are gone without a FIN, and those that stopped reading. */
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
  /** A unary request must have arrived whole by then, however slowly it drips. */
  readonly requestMs: number;
  /** A peer that leaves a stream's data unread for so long loses the stream. */
  readonly stallMs: number;
  /** Streams of one session that may end by a reset within `resetWindowMs` (rapid reset, CVE-2023-44487; provoked resets, CVE-2025-8671). */
  readonly maxResets: number;
  readonly resetWindowMs: number;
}

export const defaultGrpcLimits: GrpcLimits = {
  maxMessageBytes: 4 * 1024 * 1024,
  maxHeaderBytes: 16 * 1024,
  maxHeaderPairs: 64,
  maxConcurrentStreams: 1024,
  maxSessions: 4096,
  maxSessionMemoryMiB: 128,
  maxOutboundBytes: 16 * 1024 * 1024,
  handshakeMs: 10_000,
  idleMs: 300_000,
  pingIntervalMs: 30_000,
  pingTimeoutMs: 20_000,
  requestMs: 20_000,
  stallMs: 30_000,
  maxResets: 500,
  resetWindowMs: 10_000,
};

/** The limits with some of them replaced. */
export function grpcLimits(changes: Partial<GrpcLimits> = {}): GrpcLimits {
  return { ...defaultGrpcLimits, ...changes };
}

/** The part of the limits that only the constructor of the HTTP/2 server can set: spread it into createServer's or createSecureServer's options. */
export function http2ServerOptions(limits: GrpcLimits): SecureServerOptions {
  return {
    settings: http2Settings(limits),
    maxHeaderListPairs: limits.maxHeaderPairs,
    maxSessionMemory: limits.maxSessionMemoryMiB,
    handshakeTimeout: limits.handshakeMs,
    unknownProtocolTimeout: limits.handshakeMs,
    // nghttp2 has a reset budget of its own. It answers with an internal error, so ours, which names the reason, comes first.
    streamResetBurst: limits.maxResets * 2,
    streamResetRate: Math.max(1, Math.ceil((limits.maxResets * 2000) / limits.resetWindowMs)),
  };
}

/** What the server announces in its SETTINGS frame; nghttp2 enforces it. */
export function http2Settings(limits: GrpcLimits) {
  return {
    maxConcurrentStreams: limits.maxConcurrentStreams,
    maxHeaderListSize: limits.maxHeaderBytes,
    enablePush: false,
  };
}
