// Applications of a test mesh: they know nothing about it.

import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { onEnd } from './cleanup.ts';

export interface RunningApp {
  /** Everything that reached it, `GET /path` or `connection`. */
  readonly seen: readonly string[];
  close(): Promise<void>;
}

/** Starts serving on a workload's own address. */
export type App = (place: {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}) => Promise<RunningApp>;

/** What `echoApp` answers. */
export interface Echo {
  readonly app: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** HTTP/1.1. Answers a whole request with what it was asked, and echoes on upgraded connections. */
export const echoApp: App = ({ name, host, port }) => {
  const seen: string[] = [];
  const server = createHttpServer(echo(name, seen));
  server.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    seen.push(`${request.method} ${request.url}`);
    const accept = `Upgrade: ${request.headers.upgrade}\r\nConnection: Upgrade`;
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${accept}\r\n\r\n`);
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  return serve(server, seen, host, port);
};

/** TCP; `onConnection` may speak first. */
export function tcpApp(onConnection: (socket: Socket) => void): App {
  return ({ host, port }) => {
    const seen: string[] = [];
    const server = createTcpServer((socket) => {
      seen.push('connection');
      socket.on('error', () => {});
      onConnection(socket);
    });
    return serve(server, seen, host, port);
  };
}

function echo(app: string, seen: string[]): RequestListener {
  return (request, response) => {
    const method = request.method ?? '';
    const path = request.url ?? '';
    seen.push(`${method} ${path}`);
    request.resume();
    request.on('end', () => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ app, method, path, headers: request.headers } satisfies EchoOf));
    });
  };
}

type EchoOf = Omit<Echo, 'headers'> & { readonly headers: IncomingMessage['headers'] };

async function serve(
  server: Pick<Server, 'listen' | 'close' | 'on' | 'once'>,
  seen: readonly string[],
  host: string,
  port: number,
): Promise<RunningApp> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(port, host);
  await once(server as Server, 'listening');
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= new Promise((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
    return closed;
  };
  onEnd(close);
  return { seen, close };
}
