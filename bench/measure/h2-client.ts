// An HTTP/2 client that costs next to nothing, so that what it calls is the slower of the two. It speaks as Envoy does: one
// connection for many streams, header fields that repeat as one byte each, one write for all that one read brought about.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** RFC 9113 §6. */
const frameType = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
} as const;
const flag = { endStream: 1, ack: 1, endHeaders: 4, padded: 8 } as const;
const setting = { enablePush: 2, initialWindowSize: 4 } as const;
const frameHeaderBytes = 9;
/** What every receiver takes. */
const maxFrameBytes = 16_384;
const initialWindow = 65_535;
/** Of a stream and of the connection: the peer never waits for us. */
const ownWindow = 2 ** 30;
/** Entries of the HPACK static table (RFC 7541, appendix A). */
const staticEntries = 61;

const none = Buffer.alloc(0);

export interface StreamEvents {
  readonly onData: (chunk: Buffer) => void;
  /** The peer has ended the stream, in order or not. */
  readonly onEnd: () => void;
}

export type Headers = readonly (readonly [name: string, value: string])[];

export class H2Client {
  readonly #socket: Socket;
  readonly #streams = new Map<number, StreamEvents>();
  readonly #headers: Headers;
  #headersSent = false;
  #nextId = 1;
  /** Of a frame that is not complete. */
  #rest: Buffer = none;
  /** The DATA frame under way. */
  #dataOf = 0;
  #dataLeft = 0;
  #dataEnds = false;
  #out: Buffer[] = [];
  #unacknowledged = 0;
  /** What the peer takes on this connection; streams never have more under way than it gives to each. */
  window = initialWindow;
  /** Called when the window has grown. */
  onWindow: (() => void) | undefined;

  private constructor(socket: Socket, headers: Headers) {
    this.#socket = socket;
    this.#headers = headers;
    socket.on('data', (chunk: Buffer) => {
      this.#receive(chunk);
      this.flush();
    });
    let cause: unknown;
    socket.on('error', (error) => {
      cause = error;
    });
    // Nobody would notice calls that never end.
    socket.on('close', () => {
      if (this.#streams.size > 0) throw new Error('a connection was closed with calls under way', { cause });
    });
  }

  /** @param headers of every request on this connection */
  static async connect(
    address: { readonly path: string } | { readonly host: string; readonly port: number },
    headers: Headers,
  ): Promise<H2Client> {
    const socket = connect(address);
    await once(socket, 'connect');
    socket.setNoDelay(true);
    const client = new H2Client(socket, headers);
    client.#out.push(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'));
    client.#frame(
      frameType.settings,
      0,
      0,
      Buffer.concat([
        settingEntry(setting.enablePush, 0),
        settingEntry(setting.initialWindowSize, ownWindow),
      ]),
    );
    client.#frame(frameType.windowUpdate, 0, 0, uint32(ownWindow));
    client.flush();
    return client;
  }

  /** Opens a stream with the connection's headers; nothing leaves before `flush`. */
  open(events: StreamEvents, options: { readonly endStream: boolean } = { endStream: false }): number {
    const id = this.#nextId;
    this.#nextId += 2;
    this.#streams.set(id, events);
    const flags = flag.endHeaders | (options.endStream ? flag.endStream : 0);
    this.#frame(frameType.headers, flags, id, headerBlock(this.#headers, this.#headersSent));
    this.#headersSent = true;
    return id;
  }

  /** Sends bytes of a request; the caller minds the window. */
  send(id: number, bytes: Buffer, endStream: boolean): void {
    this.window -= bytes.length;
    for (let at = 0; at < bytes.length; at += maxFrameBytes) {
      const part = bytes.subarray(at, at + maxFrameBytes);
      const last = at + part.length === bytes.length;
      this.#frame(frameType.data, last && endStream ? flag.endStream : 0, id, part);
    }
  }

  flush(): void {
    if (this.#out.length === 0) return;
    this.#socket.write(this.#out.length === 1 ? (this.#out[0] ?? '') : Buffer.concat(this.#out));
    this.#out = [];
  }

  close(): void {
    this.#streams.clear();
    this.#socket.destroy();
  }

  #frame(type: number, flags: number, id: number, payload: Buffer): void {
    const header = Buffer.allocUnsafe(frameHeaderBytes);
    header.writeUIntBE(payload.length, 0, 3);
    header[3] = type;
    header[4] = flags;
    header.writeUInt32BE(id, 5);
    this.#out.push(header, payload);
  }

  /** Payloads of DATA frames are passed on as they come, those of others once they are complete. */
  #receive(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#dataLeft > 0) {
        const end = Math.min(at + this.#dataLeft, chunk.length);
        this.#data(chunk.subarray(at, end));
        at = end;
        continue;
      }
      const bytes =
        this.#rest.length === 0 ? chunk.subarray(at) : Buffer.concat([this.#rest, chunk.subarray(at)]);
      const taken = this.#takeFrame(bytes);
      if (taken === undefined) {
        this.#rest = bytes;
        return;
      }
      at += taken - this.#rest.length;
      this.#rest = none;
    }
  }

  /** How many bytes were read; undefined when there are not enough. */
  #takeFrame(bytes: Buffer): number | undefined {
    if (bytes.length < frameHeaderBytes) return undefined;
    const length = bytes.readUIntBE(0, 3);
    const [type = 0, flags = 0] = bytes.subarray(3, 5);
    const id = bytes.readUInt32BE(5);
    if (type === frameType.data) {
      if ((flags & flag.padded) !== 0) throw new Error('padding is not expected here');
      this.#dataOf = id;
      this.#dataLeft = length;
      this.#dataEnds = (flags & flag.endStream) !== 0;
      if (length === 0) this.#data(none);
      return frameHeaderBytes;
    }
    const end = frameHeaderBytes + length;
    if (bytes.length < end) return undefined;
    this.#handle(type, flags, id, bytes.subarray(frameHeaderBytes, end));
    return end;
  }

  #data(part: Buffer): void {
    this.#giveBack(part.length);
    this.#dataLeft -= part.length;
    this.#streams.get(this.#dataOf)?.onData(part);
    if (this.#dataLeft === 0 && this.#dataEnds) this.#end(this.#dataOf);
  }

  #handle(type: number, flags: number, id: number, payload: Buffer): void {
    switch (type) {
      case frameType.headers:
        if ((flags & flag.endStream) !== 0) this.#end(id);
        break;
      case frameType.reset:
        this.#end(id);
        break;
      case frameType.settings:
        if ((flags & flag.ack) === 0) this.#frame(frameType.settings, flag.ack, 0, none);
        break;
      case frameType.ping:
        if ((flags & flag.ack) === 0) this.#frame(frameType.ping, flag.ack, 0, payload);
        break;
      case frameType.windowUpdate:
        if (id !== 0) break;
        this.window += payload.readUInt32BE(0);
        this.onWindow?.();
        break;
      case frameType.goaway:
        throw new Error(`the server goes away: ${payload.subarray(8)} (code ${payload.readUInt32BE(4)})`);
      default:
    }
  }

  /** Of the connection's window alone: a stream receives less than its own. */
  #giveBack(bytes: number): void {
    this.#unacknowledged += bytes;
    if (this.#unacknowledged < ownWindow / 4) return;
    this.#frame(frameType.windowUpdate, 0, 0, uint32(this.#unacknowledged));
    this.#unacknowledged = 0;
  }

  #end(id: number): void {
    const events = this.#streams.get(id);
    this.#streams.delete(id);
    events?.onEnd();
  }
}

/**
 * HPACK: the first time every field is written out and added to the dynamic table, from then on it is its place there, the
 * last one first (RFC 7541 §2.3.3).
 */
function headerBlock(headers: Headers, known: boolean): Buffer {
  if (known) return Buffer.from(headers.map((_, index) => 0x80 | (staticEntries + headers.length - index)));
  return Buffer.concat(
    headers.flatMap(([name, value]) => [Buffer.from([0x40]), hpackString(name), hpackString(value)]),
  );
}

/** Without Huffman coding, up to 126 bytes. */
function hpackString(text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length > 126) throw new RangeError(`${text} is too long for a header here`);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function settingEntry(id: number, value: number): Buffer {
  return Buffer.concat([Buffer.from([0, id]), uint32(value)]);
}
