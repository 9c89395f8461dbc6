// A TLS and HTTP/2 client that is not Envoy and shares no code with the product: what gets through, and what does not,
// is seen from the other side of the wire.

import { type ClientHttp2Session, connect as connectHttp2, type OutgoingHttpHeaders } from 'node:http2';
import { connect, type TLSSocket } from 'node:tls';
import type { ProbeIdentity } from './sds-client.ts';

/** Where the inbound listener of every proxy is, on the workload's own address. */
export const inboundPort = 15008;

/** An answer, a refusal, or an error comes at once; silence is none of them. */
const answerTimeoutMs = 5000;

export interface TlsClientOptions {
  readonly address: string;
  /** Application port that the connection is for. */
  readonly port: number;
  /** PEM: who may have issued the server's certificate. */
  readonly trustBundle: string;
  readonly identity: ProbeIdentity | undefined;
  /** What is unusual about this client; by default it does what a mesh client does. */
  readonly groups?: string;
  readonly signatures?: string;
  readonly version?: 'TLSv1.2' | 'TLSv1.3';
}

/** What happened to an attempt to get a request through. */
export type Attempt =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly peer: Peer;
      /** The server gave a ticket for taking the session up again without certificates. */
      readonly ticket: boolean;
    }
  /** The server ended the connection during or right after the handshake. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** Anything else: no server, no answer. It proves nothing. */
  | { readonly kind: 'failed'; readonly reason: string };

/** The server as the client saw it in the handshake. */
export interface Peer {
  readonly group: string;
  readonly uris: readonly string[];
  readonly keyType: string;
  readonly serial: string;
  /** Of the signatures that the client can make, those that the server asks for. OpenSSL's names. */
  readonly wants: readonly string[];
}

export interface TlsRequest {
  readonly method: string;
  readonly path: string;
}

/** Connects, sends one request, and disconnects. Never rejects. */
export async function attempt(
  options: TlsClientOptions,
  { method, path }: TlsRequest = { method: 'GET', path: '/' },
): Promise<Attempt> {
  let connection: TlsClient;
  try {
    connection = await TlsClient.open(options);
  } catch (error) {
    return unsuccessful(error);
  }
  try {
    const status = await connection.request(method, path);
    return { kind: 'answered', status, peer: connection.peer, ticket: connection.hasTicket };
  } catch (error) {
    return unsuccessful(error);
  } finally {
    connection.close();
  }
}

/** An alert of the server, or its closing the connection, is a refusal; that nobody listens is not. */
function unsuccessful(error: unknown): Attempt {
  const { code, message } = error as NodeJS.ErrnoException;
  const refused =
    (code?.startsWith('ERR_SSL_') ?? false) ||
    code === 'ECONNRESET' ||
    code === 'EPIPE' ||
    code === closedCode;
  return { kind: refused ? 'refused' : 'failed', reason: code ?? message };
}

const closedCode = 'ERR_CLOSED_BY_SERVER';

class ClosedByServer extends Error {
  readonly code = closedCode;
}

export interface TlsAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
}

/** A name with several values is sent several times. */
type TlsHeaders = Readonly<Record<string, string | readonly string[]>>;

/** One connection, kept open. */
export class TlsClient {
  readonly peer: Peer;
  readonly #session: ClientHttp2Session;
  readonly #socket: TLSSocket;
  #end: string | undefined;

  private constructor(socket: TLSSocket) {
    this.#socket = socket;
    this.peer = describePeer(socket);
    this.#session = connectHttp2('https://mesh.trellis.internal', { createConnection: () => socket });
    this.#session.on('error', (error: NodeJS.ErrnoException) => {
      this.#end ??= error.code ?? error.message;
    });
    this.#session.on('goaway', (code: number) => {
      this.#end ??= `GOAWAY ${code}`;
    });
    this.#session.on('close', () => {
      this.#end ??= 'closed';
    });
  }

  /** Rejects when the handshake fails on the client's side. With TLS 1.3 the server's verdict may come only later. */
  static async open(options: TlsClientOptions): Promise<TlsClient> {
    return new TlsClient(await handshake(options));
  }

  /** A session ticket has come. (Node's `session` event does not tell of those as long as ours would be.) */
  get hasTicket(): boolean {
    return (this.#socket.getTLSTicket()?.length ?? 0) > 0;
  }

  /** Why the connection is no longer usable; undefined while it is. */
  get end(): string | undefined {
    return this.#end;
  }

  /** Sends a request and resolves to the status. */
  async request(method: string, path: string): Promise<number> {
    return (await this.exchange(method, path)).status;
  }

  /** Sends a request without a body and resolves to the whole answer. */
  exchange(method: string, path: string, headers: TlsHeaders = {}): Promise<TlsAnswer> {
    const all: OutgoingHttpHeaders = { ...headers, ':method': method, ':path': path };
    return new Promise((resolve, reject) => {
      const stream = this.#session.request(all);
      const timer = setTimeout(() => {
        stream.close();
        reject(new Error(`no answer within ${answerTimeoutMs} ms`));
      }, answerTimeoutMs);
      let head: Pick<TlsAnswer, 'status' | 'headers'> | undefined;
      let body = '';
      stream.on('response', ({ ':status': status = 0, ...rest }) => {
        head = { status, headers: rest };
      });
      stream.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      stream.on('error', (error) => {
        clearTimeout(timer);
        reject(error);
      });
      stream.on('close', () => {
        clearTimeout(timer);
        if (head === undefined) reject(new ClosedByServer('the server closed the connection'));
        else resolve({ ...head, body });
      });
      stream.end();
    });
  }

  close(): void {
    this.#session.destroy();
  }
}

function handshake(options: TlsClientOptions): Promise<TLSSocket> {
  const { address, port, trustBundle, identity, version = 'TLSv1.3' } = options;
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: address,
      port: inboundPort,
      servername: `port-${port}.mesh.trellis.internal`,
      ALPNProtocols: ['h2'],
      minVersion: version,
      maxVersion: version,
      ecdhCurve: options.groups ?? 'X25519MLKEM768',
      sigalgs: options.signatures ?? 'mldsa65',
      ca: trustBundle,
      // SPIFFE certificates carry no host name; who it is, is looked at by the caller.
      checkServerIdentity: () => undefined,
      ...(identity === undefined ? {} : { key: identity.key, cert: identity.certificate }),
    });
    const timer = setTimeout(() => {
      reject(new Error(`no TLS answer within ${answerTimeoutMs} ms`));
      socket.destroy();
    }, answerTimeoutMs);
    socket.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      resolve(socket);
    });
    socket.once('close', () => {
      clearTimeout(timer);
      reject(new ClosedByServer('the server closed the connection'));
    });
  });
}

function describePeer(socket: TLSSocket): Peer {
  const certificate = socket.getPeerX509Certificate();
  const info = socket.getEphemeralKeyInfo();
  return {
    group: info !== null && 'name' in info ? String(info.name) : 'unknown',
    uris: (certificate?.subjectAltName ?? '')
      .split(', ')
      .flatMap((name) => (name.startsWith('URI:') ? [name.slice('URI:'.length)] : [])),
    keyType: certificate?.publicKey.asymmetricKeyType ?? 'unknown',
    serial: certificate?.serialNumber ?? '',
    wants: socket.getSharedSigalgs(),
  };
}
