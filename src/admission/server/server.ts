// The HTTPS server that API servers call. HTTP/1.1: an API server offers nothing else to a Service (kubernetes#75791), so that its requests
// spread over the replicas.

import { once } from 'node:events';
import type { Server } from 'node:https';
import { type AddressInfo, Server as NetServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import fastify, { type FastifyInstance } from 'fastify';
import type { ServingPair, ServingSource } from '../certificate/serving-pair.ts';
import { answerStatus } from './answer.ts';
import { Connections } from './connections.ts';
import { WebhookServerError, type WebhookServerErrorCode } from './errors.ts';
import { defaultWebhookLimits, type WebhookLimits } from './limits.ts';
import { Load } from './load.ts';
import { webhookTlsOptions } from './tls.ts';
import { type Handler, registerWebhook, type WebhookReport } from './webhook.ts';

export interface WebhookServerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly certificate: ServingSource;
  /** PEM of those who vouch for API servers; undefined to let everybody ask. */
  readonly clientCa?: string;
  /** POST /validate */
  readonly validate: Handler;
  /** POST /mutate */
  readonly mutate: Handler;
  readonly report: WebhookReport & {
    /** A certificate that TLS does not take: the one before goes on being served. */
    readonly certificateRefused: (error: WebhookServerError) => void;
  };
  readonly limits?: Partial<WebhookLimits>;
}

export interface WebhookServer {
  /** `host:port`, ready to be put in a URL. */
  readonly address: string;
  readonly port: number;
  /**
   * Accepts no more connections, ends each with its next answer, and resolves when nothing has been asked for a while, or `graceMs` after
   * the call, with all of them closed.
   */
  close(graceMs: number): Promise<void>;
}

/** Without a request for so long, a connection that is still open is not about to bring one. */
const quietMs = 1_000;
const quietStepMs = 20;

/** How late the end of a time limit may come; Node.js looks every 30 s unless told. */
const timeoutCheckMs = 1_000;

/** @throws WebhookServerError */
export async function startWebhookServer(options: WebhookServerOptions): Promise<WebhookServer> {
  const limits = { ...defaultWebhookLimits, ...options.limits };
  const state = { closing: false, askedAtMs: 0 };
  const app = createApp(options, limits);
  const server = app.server as unknown as Server;
  server.maxRequestsPerSocket = limits.maxRequestsPerConnection;
  const connections = new Connections(server, limits);
  const load = new Load(limits);
  app.addHook('onRequest', async (_request, reply) => {
    state.askedAtMs = performance.now();
    if (state.closing) reply.header('connection', 'close');
  });
  app.addHook('onResponse', async (request, reply) => {
    if (reply.statusCode === 200) connections.prove(request.raw.socket);
  });
  const common = { limits, load, connections, report: options.report };
  registerWebhook(app, { ...common, webhook: 'validate', handler: options.validate });
  registerWebhook(app, { ...common, webhook: 'mutate', handler: options.mutate });
  await app.ready();
  const forget = followCertificate(server, options);
  const { address, family, port } = await listen(server, options, limits.maxConnections);
  return {
    port,
    address: family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`,
    close: async (graceMs) => {
      const giveUpAtMs = performance.now() + graceMs;
      const isQuiet = (): boolean => load.requests === 0 && performance.now() - state.askedAtMs >= quietMs;
      state.closing = true;
      forget();
      // HTTP's own close ends idle connections at once, one of which a request may be on its way to.
      NetServer.prototype.close.call(server);
      while (connections.count > 0 && performance.now() < giveUpAtMs && !isQuiet()) await sleep(quietStepMs);
      connections.destroy();
      await app.close();
    },
  };
}

function createApp(options: WebhookServerOptions, limits: WebhookLimits): FastifyInstance {
  const { certificate, clientCa } = options;
  let app: FastifyInstance;
  try {
    app = fastify({
      https: {
        ...webhookTlsOptions(certificate.current(), clientCa),
        // A connection without a trusted certificate ends in its handshake.
        ...(clientCa !== undefined && { requestCert: true, rejectUnauthorized: true }),
        handshakeTimeout: limits.handshakeMs,
        maxHeaderSize: limits.maxHeaderBytes,
        headersTimeout: limits.idleMs,
        requestTimeout: limits.idleMs,
        connectionsCheckingInterval: timeoutCheckMs,
      },
      keepAliveTimeout: limits.idleMs,
      requestTimeout: limits.idleMs,
      bodyLimit: limits.maxBodyBytes,
      forceCloseConnections: false,
      exposeHeadRoutes: false,
      logger: false,
    }) as unknown as FastifyInstance;
  } catch (cause) {
    throw certificateError(cause);
  }
  app.setNotFoundHandler(async (_request, reply) =>
    answerStatus(reply, 404, 'there are POST /validate and POST /mutate'),
  );
  return app;
}

/** New handshakes see the new certificate; connections that are open keep what they began with. */
function followCertificate(
  server: Server,
  { certificate, clientCa, report }: WebhookServerOptions,
): () => void {
  const use = (pair: ServingPair): void => {
    try {
      server.setSecureContext(webhookTlsOptions(pair, clientCa));
    } catch (error) {
      report.certificateRefused(certificateError(error));
    }
  };
  const forget = certificate.onChange(use);
  // It may have changed since the server was made.
  use(certificate.current());
  return forget;
}

/** OpenSSL's own words name no secret; they are in the cause. */
function certificateError(cause: unknown): WebhookServerError {
  return new WebhookServerError(
    'ERR_WEBHOOK_CERTIFICATE',
    'webhook: the serving certificate and its key cannot be used for TLS; write both anew',
    { cause },
  );
}

const known: Readonly<Record<string, readonly [WebhookServerErrorCode, string]>> = {
  EADDRINUSE: [
    'ERR_WEBHOOK_ADDRESS_IN_USE',
    'is in use by another process: stop that one, or choose another with --listen',
  ],
  EADDRNOTAVAIL: [
    'ERR_WEBHOOK_ADDRESS_UNAVAILABLE',
    'is not an address of this machine: choose one that is with --listen',
  ],
  ENOTFOUND: [
    'ERR_WEBHOOK_ADDRESS_UNAVAILABLE',
    'is not an address of this machine: choose one that is with --listen',
  ],
  EACCES: [
    'ERR_WEBHOOK_ADDRESS_FORBIDDEN',
    'may not be listened on by this user: choose a port from 1024 up with --listen',
  ],
};

async function listen(
  server: Server,
  { host, port }: Pick<WebhookServerOptions, 'host' | 'port'>,
  backlog: number,
): Promise<AddressInfo> {
  try {
    server.listen({ host, port, backlog });
    await once(server, 'listening');
  } catch (cause) {
    const [code, advice] = known[(cause as NodeJS.ErrnoException).code ?? ''] ?? [];
    if (code === undefined) throw cause;
    const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    throw new WebhookServerError(code, `webhook: ${address} ${advice}`, { cause });
  }
  return server.address() as AddressInfo;
}
