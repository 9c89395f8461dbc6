// An HTTP/2 client that speaks frames, for what a well-behaved client library never does (RFC 9113 §4.1).

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export const frameType = {
  data: 0,
  headers: 1,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  continuation: 9,
} as const;
export const flag = { endStream: 1, ack: 1, endHeaders: 4 } as const;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

export function encodeFrame(
  type: number,
  flags: number,
  streamId: number,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(streamId, 5);
  return Buffer.concat([header, payload]);
}

/** HPACK literals without indexing, never Huffman-coded (RFC 7541 §6.2.2); names and values under 127 bytes. */
export function encodeHeaders(headers: Readonly<Record<string, string>>): Buffer {
  const text = (value: string): Buffer =>
    Buffer.concat([Buffer.from([value.length]), Buffer.from(value, 'latin1')]);
  return Buffer.concat(
    Object.entries(headers).map(([name, value]) =>
      Buffer.concat([Buffer.from([0]), text(name), text(value)]),
    ),
  );
}

/** A gRPC request's headers. */
export function grpcRequestHeaders(path: string): Buffer {
  return encodeHeaders({
    ':method': 'POST',
    ':scheme': 'http',
    ':path': path,
    ':authority': 'test',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
}

export class FrameClient {
  readonly frames: Frame[] = [];
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  #buffer = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    // Not events.once, which an error before the close would reject: to a client that still writes, a server that hangs up
    // is an error.
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
  }

  /** Connects without a word. */
  static async open(port: number): Promise<FrameClient> {
    const socket = connect(port, '127.0.0.1');
    const client = new FrameClient(socket);
    await once(socket, 'connect');
    return client;
  }

  /** Connects and sends the preface and empty SETTINGS. It acknowledges nothing by itself. */
  static async start(port: number): Promise<FrameClient> {
    const client = await FrameClient.open(port);
    client.write(Buffer.concat([Buffer.from(preface), encodeFrame(frameType.settings, 0, 0)]));
    return client;
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Stops reading the socket: the peer's kernel buffers fill up. */
  stopReading(): void {
    this.#socket.pause();
  }

  end(): void {
    this.#socket.destroy();
  }

  /** The error code of the GOAWAY that the server sent, if it sent one. */
  get goawayCode(): number | undefined {
    return this.frames.findLast((frame) => frame.type === frameType.goaway)?.payload.readUInt32BE(4);
  }

  #take(chunk: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    while (this.#buffer.length >= 9) {
      const end = 9 + this.#buffer.readUIntBE(0, 3);
      if (this.#buffer.length < end) return;
      this.frames.push({
        type: this.#buffer[3] ?? 0,
        flags: this.#buffer[4] ?? 0,
        streamId: this.#buffer.readUInt32BE(5) & 0x7fffffff,
        payload: this.#buffer.subarray(9, end),
      });
      this.#buffer = this.#buffer.subarray(end);
    }
  }
}
