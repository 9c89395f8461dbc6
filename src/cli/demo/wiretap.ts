// A tap on the wire between two proxies: passes every byte on and keeps a copy. It has no keys and needs none.

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Of each direction of a connection, as much as holds the handshake and a first request. */
const keptBytes = 64 * 1024;

export interface Tapped {
  /** What the connecting side sent, from the beginning. */
  readonly fromClient: Buffer;
  readonly fromServer: Buffer;
}

export interface Wiretap {
  /** Connections so far, the first one first. */
  readonly connections: readonly Tapped[];
  /** Connections open now. */
  open(): number;
  close(): Promise<void>;
}

class TappedConnection implements Tapped {
  fromClient = Buffer.alloc(0);
  fromServer = Buffer.alloc(0);
}

/** Listens at one address and passes everything on to the same port of another. */
export async function startWiretap(at: string, to: string, port: number): Promise<Wiretap> {
  const connections: TappedConnection[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const tapped = new TappedConnection();
    connections.push(tapped);
    const upstream = connect({ host: to, port });
    pass(client, upstream, (chunk) => {
      tapped.fromClient = keep(tapped.fromClient, chunk);
    });
    pass(upstream, client, (chunk) => {
      tapped.fromServer = keep(tapped.fromServer, chunk);
    });
    sockets.add(client);
    client.on('close', () => sockets.delete(client));
  });
  server.listen(port, at);
  await once(server, 'listening');
  return { connections, open: () => sockets.size, close: () => end(server, sockets) };
}

function pass(from: Socket, to: Socket, look: (chunk: Buffer) => void): void {
  from.on('data', look);
  from.pipe(to);
  from.on('error', () => to.destroy());
  from.on('close', () => to.destroy());
}

function keep(have: Buffer, chunk: Buffer): Buffer<ArrayBuffer> {
  return Buffer.concat([have, chunk.subarray(0, Math.max(0, keptBytes - have.length))]);
}

async function end(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  for (const socket of sockets) socket.destroy();
  server.close();
  await once(server, 'close');
}
