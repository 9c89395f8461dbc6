// Length-prefixed messages: 1 byte compressed flag, 4 bytes big-endian length, then the message ("gRPC over HTTP2").

import { GrpcError, status } from './status.ts';

const frameHeaderBytes = 5;

/** First allocation for a message that arrives in pieces. It grows with what arrives, never with what the peer merely claims. */
const initialCapacity = 4096;

/** Shared: every allocation of a Buffer, an empty one too, is work for the garbage collector. */
const empty = Buffer.alloc(0);

/** The 5 bytes before an uncompressed message of this length. */
export function frameHeader(messageBytes: number): Buffer {
  const header = Buffer.allocUnsafe(frameHeaderBytes);
  header[0] = 0;
  header.writeUInt32BE(messageBytes, 1);
  return header;
}

/** One buffer holding the framed message: a single small write is cheaper than two. */
export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(frameHeaderBytes + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, frameHeaderBytes);
  return framed;
}

/** Throws RESOURCE_EXHAUSTED for a message over the limit. */
export function checkLength(messageBytes: number, maxMessageBytes: number): void {
  if (messageBytes > maxMessageBytes) {
    throw new GrpcError(
      status.resourceExhausted,
      `a message of ${messageBytes} bytes is over the limit of ${maxMessageBytes}`,
    );
  }
}

/** A view of the message when the chunk is exactly one frame, uncompressed and within the limit. */
export function onlyMessage(chunk: Buffer, maxMessageBytes: number): Buffer | undefined {
  const length = chunk.length - frameHeaderBytes;
  if (length < 0 || length > maxMessageBytes || chunk[0] !== 0 || chunk.readUInt32BE(1) !== length)
    return undefined;
  return chunk.subarray(frameHeaderBytes);
}

/**
 * Cuts a byte stream into messages. A message that lies whole in one chunk is a view of that chunk; one that is spread
 * over several is copied once into a buffer of its own, which never holds more than twice the bytes received.
 */
export class MessageDecoder {
  readonly #maxMessageBytes: number;
  /** Of a header that is cut by the end of a chunk; made when that happens. */
  #header = empty;
  #headerLength = 0;
  /** Length of the message under way; undefined while its header is incomplete. */
  #length: number | undefined;
  #body: Buffer = empty;
  #bodyLength = 0;

  constructor(maxMessageBytes: number) {
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** True when the bytes so far end inside a message: an end of stream here is a cut. */
  get partial(): boolean {
    return this.#headerLength > 0;
  }

  /** The messages that this chunk completes. Throws UNIMPLEMENTED for compression, RESOURCE_EXHAUSTED for a message over the limit, INTERNAL for garbage. */
  push(chunk: Buffer): Buffer[] {
    const messages: Buffer[] = [];
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#length === undefined) {
        offset += this.#takeHeader(chunk, offset);
        if (this.#length === undefined) break;
      }
      const length = this.#length;
      if (this.#bodyLength === 0 && chunk.length - offset >= length) {
        messages.push(chunk.subarray(offset, offset + length));
        offset += length;
        this.#reset();
        continue;
      }
      offset += this.#takeBody(chunk, offset, length);
      if (this.#bodyLength < length) break;
      messages.push(this.#body.subarray(0, length));
      this.#reset();
    }
    return messages;
  }

  #takeHeader(chunk: Buffer, offset: number): number {
    if (this.#headerLength === 0 && chunk.length - offset >= frameHeaderBytes) {
      this.#headerLength = frameHeaderBytes;
      this.#length = this.#checkHeader(chunk[offset], chunk.readUInt32BE(offset + 1));
      return frameHeaderBytes;
    }
    if (this.#headerLength === 0) this.#header = Buffer.alloc(frameHeaderBytes);
    const missing = frameHeaderBytes - this.#headerLength;
    const taken = chunk.copy(this.#header, this.#headerLength, offset, offset + missing);
    this.#headerLength += taken;
    if (taken === missing) this.#length = this.#checkHeader(this.#header[0], this.#header.readUInt32BE(1));
    return taken;
  }

  /** The length, when this is a header that we accept. */
  #checkHeader(flag: number | undefined, length: number): number {
    if (flag === 1) {
      throw new GrpcError(
        status.unimplemented,
        'compressed messages are not supported; send grpc-encoding: identity',
      );
    }
    if (flag !== 0) {
      throw new GrpcError(status.internal, `${flag} is no compressed flag; the stream is not gRPC framing`);
    }
    checkLength(length, this.#maxMessageBytes);
    return length;
  }

  #takeBody(chunk: Buffer, offset: number, length: number): number {
    const wanted = Math.min(length - this.#bodyLength, chunk.length - offset);
    this.#reserve(this.#bodyLength + wanted, length);
    chunk.copy(this.#body, this.#bodyLength, offset, offset + wanted);
    this.#bodyLength += wanted;
    return wanted;
  }

  #reserve(needed: number, length: number): void {
    if (this.#body.length >= needed) return;
    const grown = Buffer.allocUnsafeSlow(
      Math.min(length, Math.max(needed, this.#body.length * 2, initialCapacity)),
    );
    this.#body.copy(grown, 0, 0, this.#bodyLength);
    this.#body = grown;
  }

  #reset(): void {
    this.#headerLength = 0;
    this.#length = undefined;
    this.#body = empty;
    this.#bodyLength = 0;
  }
}
