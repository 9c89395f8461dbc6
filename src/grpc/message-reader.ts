// The messages of one direction of a stream as an async iterable, with the transport's flow control behind it.

import type { Readable } from 'node:stream';
import { MessageDecoder } from './framing.ts';
import { GrpcError, status } from './status.ts';

/** Decoded messages that wait for their consumer before the transport is paused. A chunk may still bring more than that at once. */
const maxQueued = 16;

interface Waiting {
  readonly resolve: (result: IteratorResult<Uint8Array>) => void;
  readonly reject: (error: Error) => void;
}

/** One consumer at a time. Iteration ends at `finish()`, or throws what `finish` or `fail` was given. */
export class MessageReader implements AsyncIterable<Uint8Array> {
  readonly #stream: Readable;
  readonly #decoder: MessageDecoder;
  readonly #queue: Uint8Array[] = [];
  #waiting: Waiting | undefined;
  #end: { readonly error: Error | undefined } | undefined;

  constructor(stream: Readable, maxMessageBytes: number) {
    this.#stream = stream;
    this.#decoder = new MessageDecoder(maxMessageBytes);
  }

  /** Takes bytes that the stream has delivered. */
  push(chunk: Buffer): void {
    if (this.#end !== undefined) return;
    try {
      for (const message of this.#decoder.push(chunk)) this.#queue.push(message);
    } catch (error) {
      this.finish(error instanceof Error ? error : new GrpcError(status.internal, String(error)));
      return;
    }
    if (this.#queue.length >= maxQueued) this.#stream.pause();
    this.#settle();
  }

  /** True when the peer's bytes stop inside a message. */
  get partial(): boolean {
    return this.#decoder.partial;
  }

  /** No more messages: what is queued is still delivered, then the iteration ends, with the error if there is one. */
  finish(error?: Error): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.#settle();
  }

  /** Ends the iteration at once with this error; messages not yet consumed are dropped. */
  fail(error: Error): void {
    if (this.#end?.error !== undefined) return;
    this.#queue.length = 0;
    this.#end = { error };
    this.#settle();
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return { next: () => this.#next(), return: () => this.#return() };
  }

  #settle(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    const message = this.#queue.shift();
    if (message === undefined && this.#end === undefined) return;
    this.#waiting = undefined;
    if (message !== undefined) waiting.resolve({ done: false, value: message });
    else if (this.#end?.error !== undefined) waiting.reject(this.#end.error);
    else waiting.resolve({ done: true, value: undefined });
  }

  #next(): Promise<IteratorResult<Uint8Array>> {
    if (this.#waiting !== undefined) {
      return Promise.reject(
        new GrpcError(status.internal, 'the messages of a call have one consumer at a time'),
      );
    }
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#settle();
      if (this.#waiting !== undefined && this.#end === undefined) this.#stream.resume();
    });
  }

  /** The consumer left its loop: whatever else arrives is read and thrown away, so that it holds no flow-control window. */
  #return(): Promise<IteratorResult<Uint8Array>> {
    this.#queue.length = 0;
    this.#end ??= { error: undefined };
    this.#stream.resume();
    return Promise.resolve({ done: true, value: undefined });
  }
}
