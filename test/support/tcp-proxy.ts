// A TCP connection in two pieces, so that a test can cut it, or refuse new ones, without either end knowing why.

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { onEnd } from './cleanup.ts';

export interface TcpProxy {
  readonly port: number;
  /** How many connections there have been. */
  connections(): number;
  /** Breaks all, and refuses new ones until `mend`. */
  cut(): void;
  mend(): void;
}

/**
 * Listens on `host` itself, so that a certificate for that address fits. Ended with the test.
 * @param to port of that host, asked for each connection; undefined: it is refused
 */
export async function startTcpProxy(
  host: string,
  to: number | (() => number | undefined),
): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let isCut = false;
  let connections = 0;
  const server = createServer((near) => {
    connections++;
    const port = typeof to === 'number' ? to : to();
    if (isCut || port === undefined) {
      near.destroy();
      return;
    }
    const far = connect(port, host);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('error', () => {});
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  });
  server.listen(0, host);
  await once(server, 'listening');
  const breakAll = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  onEnd(() => {
    server.close();
    breakAll();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    connections: () => connections,
    cut: () => {
      isCut = true;
      breakAll();
    },
    mend: () => {
      isCut = false;
    },
  };
}
