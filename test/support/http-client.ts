// Callers: HTTP/1.1 and HTTP/2 with whatever headers and paths a test wants, which fetch() would tidy up.

import { type Agent, type IncomingHttpHeaders, request } from 'node:http';
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { onEnd } from './cleanup.ts';

/** An answer or an error comes in milliseconds; silence is neither. */
const answerTimeoutMs = 15_000;

export interface Call {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Place {
  readonly host: string;
  readonly port: number;
}

/** One HTTP/1.1 request, on a connection of its own unless there is an agent. */
export function httpCall(place: Place, authority: string, call: Call = {}, agent?: Agent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({
      ...place,
      method: call.method ?? 'GET',
      path: call.path ?? '/',
      headers: { host: authority, ...call.headers },
      agent: agent ?? false,
      timeout: answerTimeoutMs,
    });
    outgoing.on('response', (response) => {
      text(response).then(
        (body) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        reject,
      );
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer')));
    outgoing.on('error', reject);
    outgoing.end(call.body);
  });
}

export interface Tunnel {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The bytes after the answer's headers: the tunnel, or the body of a refusal. */
  readonly stream: Duplex;
}

/** Opens an HTTP/1.1 CONNECT tunnel, or an upgraded connection when `upgrade` names a protocol. */
export function httpTunnel(
  place: Place,
  target: { readonly connect: string } | { readonly host: string; readonly upgrade: string; path?: string },
): Promise<Tunnel> {
  return new Promise((resolve, reject) => {
    const how =
      'connect' in target
        ? { method: 'CONNECT', path: target.connect, headers: { host: target.connect } }
        : {
            path: target.path ?? '/',
            headers: { host: target.host, connection: 'Upgrade', upgrade: target.upgrade },
          };
    const outgoing = request({ ...place, ...how, agent: false, timeout: answerTimeoutMs });
    const done = (
      response: { statusCode?: number | undefined; headers: IncomingHttpHeaders },
      stream: Duplex,
    ): void => {
      stream.on('error', () => {});
      onEnd(() => stream.destroy());
      resolve({ status: response.statusCode ?? 0, headers: response.headers, stream });
    };
    const withHead = (response: Parameters<typeof done>[0], socket: Duplex, head: Buffer): void => {
      if (head.length > 0) socket.unshift(head);
      done(response, socket);
    };
    outgoing.on('connect', withHead);
    outgoing.on('upgrade', withHead);
    outgoing.on('response', (response) => done(response, response as unknown as Duplex));
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer')));
    outgoing.on('error', reject);
    outgoing.end();
  });
}

/** One HTTP/2 connection, kept open. */
export class Http2Client {
  readonly session: ClientHttp2Session;
  /** Why no further request can be made; undefined while one can. */
  end: string | undefined;

  constructor(session: ClientHttp2Session) {
    this.session = session;
    session.on('error', (error: NodeJS.ErrnoException) => this.#ended(error.code ?? error.message));
    session.on('goaway', (code) => this.#ended(`GOAWAY ${code}`));
    session.on('close', () => this.#ended('closed'));
    onEnd(() => session.destroy());
  }

  /** In cleartext, without an upgrade first. */
  static plain({ host, port }: Place): Http2Client {
    return new Http2Client(connect(`http://${host}:${port}`));
  }

  #ended(why: string): void {
    this.end ??= why;
  }

  /** Sends a request and leaves its stream open. Pseudo-headers win over defaults. */
  open(headers: Readonly<Record<string, string>>, endStream = false): ClientHttp2Stream {
    const stream = this.session.request({ ':method': 'GET', ':path': '/', ...headers }, { endStream });
    stream.on('error', () => {});
    return stream;
  }

  request(authority: string, call: Call = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const stream = this.session.request(
        {
          ...call.headers,
          ':authority': authority,
          ':method': call.method ?? 'GET',
          ':path': call.path ?? '/',
        },
        { endStream: call.body === undefined },
      );
      let answer: { status: number; headers: IncomingHttpHeaders } | undefined;
      let body = '';
      stream.setEncoding('utf8');
      stream.on('response', (headers) => {
        answer = { status: headers[':status'] ?? 0, headers };
      });
      stream.on('data', (chunk: string) => {
        body += chunk;
      });
      stream.on('error', reject);
      stream.on('close', () => {
        if (answer === undefined) reject(new Error(`no answer, stream reset with ${stream.rstCode}`));
        else resolve({ ...answer, body });
      });
      stream.setTimeout(answerTimeoutMs, () => stream.close(constants.NGHTTP2_CANCEL));
      if (call.body !== undefined) stream.end(call.body);
    });
  }

  close(): void {
    this.session.destroy();
  }
}

/** The answer's headers of a stream that stays open. */
export function response(stream: ClientHttp2Stream): Promise<IncomingHttpHeaders & { ':status'?: number }> {
  return new Promise((resolve, reject) => {
    stream.once('response', resolve);
    stream.once('close', () => reject(new Error(`no answer, stream reset with ${stream.rstCode}`)));
  });
}
