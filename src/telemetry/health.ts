// The HTTP server for operators and kubelets: /metrics, /healthz, /readyz. It serves nothing that is secret, and still
// listens on loopback unless told otherwise.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import { TelemetryError } from './errors.ts';
import type { Condition } from './readiness.ts';

/** What a scraper or a kubelet needs, and little more. */
const limits = {
  headerBytes: 8 * 1024,
  headersTimeoutMs: 5000,
  requestTimeoutMs: 10_000,
  idleTimeoutMs: 15_000,
  connections: 64,
} as const;

export interface HealthOptions {
  /** 0: any free port. */
  readonly port: number;
  /** Loopback by default. */
  readonly host?: string;
  readonly registry: Pick<Registry, 'contentType' | 'metrics'>;
  readonly readiness: { conditions(): readonly Condition[] };
}

export interface HealthServer {
  /** `host:port`, ready to be put in a URL. */
  readonly address: string;
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Starts serving.
 * @throws TelemetryError `ERR_ADDRESS_IN_USE`, `ERR_ADDRESS_UNAVAILABLE`, `ERR_ADDRESS_FORBIDDEN`
 */
export async function startHealthServer(options: HealthOptions): Promise<HealthServer> {
  const { host = '127.0.0.1', port } = options;
  const server = createServer({
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.idleTimeoutMs,
    connectionsCheckingInterval: 1000,
  });
  server.maxConnections = limits.connections;
  server.on('request', (request, response) => {
    answer(options, request).then(
      (reply) => send(request, response, reply),
      // Nothing of the error leaves the process: it is a defect, and the caller may be anyone.
      () => send(request, response, json(500, { error: 'internal error' })),
    );
  });
  await listen(server, host, port);
  const bound = server.address() as AddressInfo;
  return {
    address: bound.family === 'IPv6' ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`,
    port: bound.port,
    close: () =>
      new Promise((resolve) => {
        // Called too when it is closed already.
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

function json(status: number, value: unknown): Reply {
  return { status, type: 'application/json', body: `${JSON.stringify(value)}\n` };
}

async function answer({ registry, readiness }: HealthOptions, request: IncomingMessage): Promise<Reply> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return json(405, { error: 'only GET and HEAD' });
  if (hasBody(request)) return json(413, { error: 'a request here has no body' });
  switch (request.url?.split('?', 1)[0]) {
    case '/metrics':
      return { status: 200, type: registry.contentType, body: await registry.metrics() };
    case '/healthz':
      return json(200, { healthy: true });
    case '/readyz': {
      const conditions = readiness.conditions();
      const ready = conditions.length > 0 && conditions.every((condition) => condition.ready);
      return json(ready ? 200 : 503, { ready, conditions });
    }
    default:
      return json(404, { error: 'there are /metrics, /healthz and /readyz' });
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0;
}

function send(request: IncomingMessage, response: ServerResponse, { status, type, body }: Reply): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    // A body we do not read must not be taken for the next request.
    ...(status === 405 || status === 413 ? { connection: 'close' } : {}),
    ...(status === 405 ? { allow: 'GET, HEAD' } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (error) {
    throw listenError(error, `${host.includes(':') ? `[${host}]` : host}:${port}`);
  }
}

function listenError(error: unknown, address: string): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  const options = { cause: error };
  switch (error.code) {
    case 'EADDRINUSE':
      return new TelemetryError(
        'ERR_ADDRESS_IN_USE',
        `metrics and health: ${address} is in use by another process: stop that one, or choose another port (0 takes any free one)`,
        options,
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new TelemetryError(
        'ERR_ADDRESS_UNAVAILABLE',
        `metrics and health: ${address} is not an address of this machine: choose one that is`,
        options,
      );
    case 'EACCES':
    case 'EPERM':
      return new TelemetryError(
        'ERR_ADDRESS_FORBIDDEN',
        `metrics and health: not allowed to listen on ${address}: choose a port from 1024 up`,
        options,
      );
    default:
      return error;
  }
}
