// Who may hold a connection when there are too many. Those on which something is judged are never lost: their answers are awaited. Of the
// others there are two kinds, those that were answered something and those that were not, and whoever opens one more pays with one of the
// kind that there is more of: with one of whoever has the most of that kind, the one that has been idle for longest.
//
// So connections that are opened and left, for which it takes no more than an address, cost only each other once they are the majority; and
// those that are kept after a question do not keep anybody from asking his first. Among n networks each keeps, of either kind, one nth of
// half of what is not in use; an API server wants 25 that are idle.
//
// To have been answered is no proof of being an API server: whoever reaches the port can ask. A client certificate is one, where they are
// asked for, and stands for an answer.

import type { Server, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { WebhookLimits } from './limits.ts';
import { networkOf } from './network-of.ts';

interface Connection {
  readonly socket: Socket;
  /** A socket that is closed does not know any more whose it was. */
  readonly name: string;
  readonly network: string;
  readonly peer: Peer;
  /** It has asked something that was worth an answer, or shown a certificate. */
  proven: boolean;
  /** Questions that have come whole and are not answered. */
  questions: number;
}

type Kind = 'unproven' | 'proven';

/** Connections on which nothing is judged. Sets keep the order in which connections came, or came to be idle. */
class Idle {
  readonly unproven = new Set<Connection>();
  readonly proven = new Set<Connection>();

  place(connection: Connection): void {
    this.displace(connection);
    if (connection.questions === 0) this[connection.proven ? 'proven' : 'unproven'].add(connection);
  }

  displace(connection: Connection): void {
    this.unproven.delete(connection);
    this.proven.delete(connection);
  }

  /** Of which there are more. */
  get majority(): Kind {
    return this.unproven.size >= this.proven.size ? 'unproven' : 'proven';
  }
}

/** What a network holds. */
interface Peer {
  count: number;
  readonly idle: Idle;
}

export class Connections {
  /** By what tells them apart on both sides of TLS. */
  readonly #open = new Map<string, Connection>();
  readonly #peers = new Map<string, Peer>();
  readonly #idle = new Idle();
  readonly #limits: Pick<WebhookLimits, 'maxConnections' | 'maxConnectionsPerAddress'>;

  constructor(server: Server, limits: Pick<WebhookLimits, 'maxConnections' | 'maxConnectionsPerAddress'>) {
    this.#limits = limits;
    // Before TLS, which is the dearest part.
    server.on('connection', (socket: Socket) => this.#opened(socket));
    server.on('secureConnection', (socket: TLSSocket) => {
      if (socket.authorized) this.prove(socket);
    });
  }

  get count(): number {
    return this.#open.size;
  }

  /** A question has come whole on it. @returns what says that it is over, to be called once or more */
  use(socket: Socket): () => void {
    const connection = this.#open.get(nameOf(socket));
    if (connection === undefined) return () => {};
    connection.questions += 1;
    this.#place(connection);
    let over = false;
    return () => {
      if (over) return;
      over = true;
      connection.questions -= 1;
      if (this.#open.get(connection.name) === connection) this.#place(connection);
    };
  }

  /** It has asked something that was worth an answer, or shown a certificate. */
  prove(socket: Socket): void {
    const connection = this.#open.get(nameOf(socket));
    if (connection === undefined || connection.proven) return;
    connection.proven = true;
    this.#place(connection);
  }

  destroy(): void {
    for (const { socket } of [...this.#open.values()]) socket.destroy();
  }

  #opened(socket: Socket): void {
    // Reset before it was accepted: it has no name, and another such would be taken for it.
    if (socket.remoteAddress === undefined) {
      socket.destroy();
      return;
    }
    const name = nameOf(socket);
    // Whose end is not known yet, although its port is used again.
    const before = this.#open.get(name);
    if (before !== undefined) this.#closed(before);
    const network = networkOf(socket.remoteAddress);
    const peer = this.#peers.get(network) ?? { count: 0, idle: new Idle() };
    this.#peers.set(network, peer);
    const connection: Connection = { socket, name, network, peer, proven: false, questions: 0 };
    this.#open.set(name, connection);
    peer.count += 1;
    this.#place(connection);
    socket.once('close', () => this.#closed(connection));
    this.#makeRoom(peer);
  }

  #place(connection: Connection): void {
    this.#idle.place(connection);
    connection.peer.idle.place(connection);
  }

  /** The newcomer is among them: when nobody else can do without one, it is the one that goes. */
  #makeRoom(newcomer: Peer): void {
    const { maxConnections, maxConnectionsPerAddress } = this.#limits;
    if (newcomer.count > maxConnectionsPerAddress) this.#evictFirst(newcomer.idle[newcomer.idle.majority]);
    if (this.count > maxConnections) this.#evictFirst(this.#most(this.#idle.majority));
  }

  #most(kind: Kind): ReadonlySet<Connection> {
    let most: ReadonlySet<Connection> = new Set();
    for (const { idle } of this.#peers.values()) {
      if (idle[kind].size > most.size) most = idle[kind];
    }
    return most;
  }

  #evictFirst([connection]: Iterable<Connection>): void {
    if (connection === undefined) return;
    this.#closed(connection);
    connection.socket.destroy();
  }

  #closed(connection: Connection): void {
    const { name, network, peer } = connection;
    if (this.#open.get(name) !== connection) return;
    this.#open.delete(name);
    this.#idle.displace(connection);
    peer.idle.displace(connection);
    peer.count -= 1;
    if (peer.count === 0) this.#peers.delete(network);
  }
}

/** Two connections that are open at the same time differ in it. */
function nameOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}
