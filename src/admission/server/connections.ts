// Who may hold a connection when there are too many. The address that holds the most loses one first, and of its own those that were
// never answered anything, the oldest before the others: so whoever opens connections shuts out nobody but those at his own address.
// A connection on which something is judged is never lost: its answer is awaited.

import type { Server, Socket } from 'node:net';
import type { WebhookLimits } from './limits.ts';

interface Connection {
  readonly socket: Socket;
  /** A socket that is closed does not know any more whose it was. */
  readonly name: string;
  readonly address: string;
  readonly peer: Peer;
  /** It has asked something that was worth an answer. */
  proven: boolean;
  /** Questions that have come whole and are not answered. */
  questions: number;
}

/** What an address holds. Sets keep the order in which connections came, or came to be idle. */
class Peer {
  count = 0;
  readonly #unproven = new Set<Connection>();
  readonly #proven = new Set<Connection>();

  place(connection: Connection): void {
    this.displace(connection);
    if (connection.questions === 0) (connection.proven ? this.#proven : this.#unproven).add(connection);
  }

  displace(connection: Connection): void {
    this.#unproven.delete(connection);
    this.#proven.delete(connection);
  }

  /** The one that it can do without best; undefined when all are in use. */
  spare(): Connection | undefined {
    const [unproven] = this.#unproven;
    const [proven] = this.#proven;
    return unproven ?? proven;
  }
}

export class Connections {
  /** By what tells them apart on both sides of TLS. */
  readonly #open = new Map<string, Connection>();
  readonly #peers = new Map<string, Peer>();
  readonly #limits: Pick<WebhookLimits, 'maxConnections' | 'maxConnectionsPerAddress'>;

  constructor(server: Server, limits: Pick<WebhookLimits, 'maxConnections' | 'maxConnectionsPerAddress'>) {
    this.#limits = limits;
    // Before TLS, which is the dearest part.
    server.on('connection', (socket: Socket) => this.#opened(socket));
  }

  get count(): number {
    return this.#open.size;
  }

  /** A question has come whole on it. @returns what says that it is over, to be called once or more */
  use(socket: Socket): () => void {
    const connection = this.#open.get(nameOf(socket));
    if (connection === undefined) return () => {};
    connection.questions += 1;
    connection.peer.place(connection);
    let over = false;
    return () => {
      if (over) return;
      over = true;
      connection.questions -= 1;
      if (this.#open.get(connection.name) === connection) connection.peer.place(connection);
    };
  }

  /** It has asked something that was worth an answer. */
  prove(socket: Socket): void {
    const connection = this.#open.get(nameOf(socket));
    if (connection === undefined || connection.proven) return;
    connection.proven = true;
    connection.peer.place(connection);
  }

  destroy(): void {
    for (const { socket } of [...this.#open.values()]) socket.destroy();
  }

  #opened(socket: Socket): void {
    const address = addressOf(socket);
    if (!this.#makeRoom(address)) {
      socket.destroy();
      return;
    }
    const peer = this.#peers.get(address) ?? new Peer();
    this.#peers.set(address, peer);
    const name = nameOf(socket);
    const connection: Connection = { socket, name, address, peer, proven: false, questions: 0 };
    this.#open.set(name, connection);
    peer.count += 1;
    peer.place(connection);
    socket.once('close', () => this.#closed(connection));
  }

  #makeRoom(address: string): boolean {
    const { maxConnections, maxConnectionsPerAddress } = this.#limits;
    const own = this.#peers.get(address);
    if (own !== undefined && own.count >= maxConnectionsPerAddress) return this.#evict(own.spare());
    return this.count < maxConnections || this.#evict(this.#spareOfMost());
  }

  #spareOfMost(): Connection | undefined {
    let most: Peer | undefined;
    for (const peer of this.#peers.values()) {
      if (peer.count > (most?.count ?? 0) && peer.spare() !== undefined) most = peer;
    }
    return most?.spare();
  }

  #evict(connection: Connection | undefined): boolean {
    if (connection === undefined) return false;
    this.#closed(connection);
    connection.socket.destroy();
    return true;
  }

  #closed(connection: Connection): void {
    const { name, address, peer } = connection;
    if (this.#open.get(name) !== connection) return;
    this.#open.delete(name);
    peer.displace(connection);
    peer.count -= 1;
    if (peer.count === 0) this.#peers.delete(address);
  }
}

/** Empty where the socket is closed already. */
export function addressOf({ remoteAddress = '' }: Socket): string {
  return remoteAddress;
}

/** Two connections that are open at the same time differ in it. */
function nameOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}
