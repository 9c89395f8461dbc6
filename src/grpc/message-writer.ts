// The messages of the other direction: framed, and no faster than the peer reads.

import type { Http2Stream } from 'node:http2';
import { checkLength, frame, frameHeader } from './framing.ts';
import { GrpcError, status } from './status.ts';

/** A message up to this size is copied into one buffer: one write costs less than several. The pieces of a larger one go out as they are, shared with every other stream that sends them. */
export const maxJoinedBytes = 16 * 1024;

/** Of a large message, how much is handed to the transport at once: the rest stays here as references, and does not count against the memory of the session. */
const sliceBytes = 64 * 1024;

export interface WriterLimits {
  readonly maxMessageBytes: number;
  readonly maxOutboundBytes: number;
  readonly stallMs: number;
}

export class MessageWriter {
  readonly #stream: Http2Stream;
  readonly #limits: WriterLimits;
  readonly #onStall: () => void;
  /** The writes that wait for the peer, in order; undefined when there are none. */
  #tail: Promise<void> | undefined;
  #waitingBytes = 0;

  /** `onStall` is called when a full stream has not moved for `stallMs`; it must close the stream. */
  constructor(stream: Http2Stream, limits: WriterLimits, onStall: () => void) {
    this.#stream = stream;
    this.#limits = limits;
    this.#onStall = onStall;
  }

  /** Resolves when all that was written is with the transport; undefined when it is already. */
  get idle(): Promise<void> | undefined {
    return this.#tail;
  }

  /**
   * Sends one message, given whole or in pieces. The promise, if there is one, resolves when the transport wants more, and
   * also when the stream has ended meanwhile.
   */
  write(message: Uint8Array | readonly Uint8Array[]): Promise<void> | undefined {
    const pieces = message instanceof Uint8Array ? [message] : message;
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    this.#check(length);
    if (this.#tail === undefined && length <= maxJoinedBytes) {
      const [only] = pieces;
      this.#stream.write(
        frame(pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces, length)),
      );
      if (!this.#stream.writableNeedDrain) return undefined;
      return this.#enqueue(0, () => this.#drained());
    }
    return this.#enqueue(length, () => this.#writeSlices(pieces, length));
  }

  #check(length: number): void {
    checkLength(length, this.#limits.maxMessageBytes);
    if (this.#waitingBytes > this.#limits.maxOutboundBytes) {
      throw new GrpcError(status.resourceExhausted, 'too many bytes wait for the peer; await each write');
    }
  }

  #enqueue(length: number, work: () => Promise<void>): Promise<void> {
    this.#waitingBytes += length;
    const before = this.#tail;
    const done = (before === undefined ? work() : before.then(work)).then(() => {
      this.#waitingBytes -= length;
      if (this.#tail === done) this.#tail = undefined;
    });
    this.#tail = done;
    return done;
  }

  async #writeSlices(pieces: readonly Uint8Array[], length: number): Promise<void> {
    for (const slice of slices([frameHeader(length), ...pieces])) {
      if (this.#stream.destroyed || this.#stream.closed) return;
      this.#stream.cork();
      for (const chunk of slice) this.#stream.write(chunk);
      this.#stream.uncork();
      if (this.#stream.writableNeedDrain) await this.#drained();
    }
  }

  #drained(): Promise<void> {
    if (this.#stream.destroyed) return Promise.resolve();
    return new Promise<void>((resolve) => {
      const stalled = setTimeout(this.#onStall, this.#limits.stallMs).unref();
      const done = (): void => {
        clearTimeout(stalled);
        this.#stream.off('drain', done);
        this.#stream.off('close', done);
        resolve();
      };
      this.#stream.once('drain', done);
      this.#stream.once('close', done);
    });
  }
}

/** Groups the chunks, cutting large ones, into slices of about `sliceBytes`. */
function* slices(chunks: readonly Uint8Array[]): Generator<Uint8Array[]> {
  let slice: Uint8Array[] = [];
  let room = sliceBytes;
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += sliceBytes) {
      const part = chunk.length > sliceBytes ? chunk.subarray(at, at + sliceBytes) : chunk;
      slice.push(part);
      room -= part.length;
      if (room <= 0) {
        yield slice;
        slice = [];
        room = sliceBytes;
      }
    }
  }
  if (slice.length > 0) yield slice;
}
