// A call with one message either way. It is the hot path: a call that is answered at once makes no timer, no promise and no
// listener of its own.

import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { UnaryHandler } from './call.ts';
import { MessageDecoder, onlyMessage } from './framing.ts';
import { type CallContext, ServerCall } from './server-call.ts';
import { GrpcError, status } from './status.ts';

export class UnaryCall extends ServerCall {
  readonly #handle: UnaryHandler;
  #message: Uint8Array | undefined = undefined;
  /** Of a request that does not lie whole in one chunk. */
  #decoder: MessageDecoder | undefined = undefined;
  #isReading = true;
  #late: NodeJS.Timeout | undefined = undefined;

  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    context: CallContext,
    handle: UnaryHandler,
  ) {
    super(stream, headers, context);
    this.#handle = handle;
  }

  override startTimers(): void {
    super.startTimers();
    if (!this.#isReading) return;
    const { requestMs } = this.context.limits;
    this.#late = setTimeout(() => {
      this.end(new GrpcError(status.deadlineExceeded, `the request did not arrive within ${requestMs} ms`));
    }, requestMs).unref();
  }

  receive(chunk: Buffer): void {
    if (!this.#isReading) return;
    const { maxRequestBytes } = this.context;
    try {
      if (this.#message === undefined && this.#decoder === undefined) {
        this.#message = onlyMessage(chunk, maxRequestBytes);
        if (this.#message !== undefined) return;
      }
      this.#decoder ??= new MessageDecoder(maxRequestBytes);
      for (const message of this.#decoder.push(chunk)) {
        if (this.#message !== undefined) throw notOneMessage();
        this.#message = message;
      }
    } catch (error) {
      this.fail(error);
    }
  }

  protected halfClosed(): void {
    if (!this.#isReading) return;
    this.#stopReading();
    try {
      const response = this.#handle(this.#request(), this);
      if (response instanceof Uint8Array) this.answer(response);
      else response.then((bytes) => this.answer(bytes)).catch((error: unknown) => this.fail(error));
    } catch (error) {
      this.fail(error);
    }
  }

  protected aborted(): void {
    this.#stopReading();
  }

  #stopReading(): void {
    this.#isReading = false;
    clearTimeout(this.#late);
  }

  #request(): Uint8Array {
    if (this.#decoder?.partial === true)
      throw new GrpcError(status.internal, 'the request ends inside a message');
    if (this.#message === undefined) throw notOneMessage();
    return this.#message;
  }
}

function notOneMessage(): GrpcError {
  return new GrpcError(status.unimplemented, 'a unary call has exactly one request message');
}
