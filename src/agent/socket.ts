// The Unix socket on which a proxy finds everything it needs.

import { once } from 'node:events';
import { chmod, lstat, unlink } from 'node:fs/promises';
import { createServer, type Http2Server } from 'node:http2';
import { connect } from 'node:net';
import type { Method } from '../grpc/call.ts';
import { type GrpcLimits, grpcLimits, http2ServerOptions } from '../grpc/limits.ts';
import { serveGrpc } from '../grpc/server.ts';
import { AgentError } from './errors.ts';

/** Whoever opens the socket holds the workload's identity. */
const socketMode = 0o600;
/** What a Unix socket address can hold (`sun_path`), less its terminating zero. */
const maxSocketPathBytes = 107;
/**
 * One proxy: on one connection an ADS stream and an SDS stream per secret and TLS context, and from each of its worker
 * threads, one a processor, a connection for checks, of which Envoy opens more when one is full; with room to reconnect.
 */
const limits: Partial<GrpcLimits> = {
  maxSessions: 256,
  maxConcurrentStreams: 256,
  // Envoy resets a check when its caller gives up, and the checks of all callers share a few connections: a budget that one
  // caller could use up would end the checks of the others. At this rate the resets themselves have long filled the processor.
  maxResets: 1_000_000,
};
const closeGraceMs = 1_000;

export interface AgentSocket {
  close(): Promise<void>;
}

/** @throws AgentError ERR_AGENT_SOCKET_PATH, ERR_AGENT_SOCKET_IN_USE */
export async function serveSocket(
  path: string,
  methods: ReadonlyMap<string, Method>,
  onHandlerError: (error: unknown, path: string) => void,
): Promise<AgentSocket> {
  if (Buffer.byteLength(path) > maxSocketPathBytes) {
    throw new AgentError(
      'ERR_AGENT_SOCKET_PATH',
      `the socket path ${path} is longer than ${maxSocketPathBytes} bytes: choose a shorter directory`,
    );
  }
  await removeStale(path);
  const server = createServer(http2ServerOptions(grpcLimits(limits)));
  const grpc = serveGrpc(server, methods, limits, { onHandlerError });
  await listen(server, path);
  return { close: () => grpc.close(closeGraceMs) };
}

async function listen(server: Http2Server, path: string): Promise<void> {
  // The mode must be right from the first moment, not after a chmod. Node binds the socket before `listen` returns, and
  // nothing else in this process creates a file meanwhile.
  const umask = process.umask(0o777 & ~socketMode);
  try {
    server.listen(path);
  } finally {
    process.umask(umask);
  }
  try {
    await once(server, 'listening');
    await chmod(path, socketMode);
  } catch (error) {
    server.close();
    throw new AgentError('ERR_AGENT_SOCKET_PATH', `cannot listen on ${path}: ${message(error)}`, {
      cause: error,
    });
  }
}

/** A socket file that nobody answers on is what an agent that was killed left behind. */
async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new AgentError('ERR_AGENT_SOCKET_PATH', `${path} exists and is not a socket: choose another path`);
  }
  if (await answers(path)) {
    throw new AgentError(
      'ERR_AGENT_SOCKET_IN_USE',
      `another process serves ${path}: stop it, or choose another path`,
    );
  }
  await unlink(path);
}

/** Only a refusal says that nobody listens: a process that is too busy to answer does not give its place away. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
  });
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
