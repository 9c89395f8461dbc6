// One call on the server: its deadline, its signal, its messages and its end.

import {
  constants,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { StreamCall } from './call.ts';
import type { GrpcLimits } from './limits.ts';
import { MessageReader } from './message-reader.ts';
import { MessageWriter } from './message-writer.ts';
import { grpcContentType } from './request-check.ts';
import { encodeStatusMessage, GrpcError, status } from './status.ts';

export class ServerCall implements StreamCall {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly session: ServerHttp2Session;
  readonly messages: MessageReader;
  readonly #stream: ServerHttp2Stream;
  readonly #limits: GrpcLimits;
  #writer: MessageWriter | undefined;
  #controller: AbortController | undefined;
  /** Why the call ended before its handler did. */
  #reason: GrpcError | undefined;
  #trailers: Record<string, string> | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #linger: NodeJS.Timeout | undefined;

  constructor(
    stream: ServerHttp2Stream,
    session: ServerHttp2Session,
    headers: IncomingHttpHeaders,
    limits: GrpcLimits,
    onClosed: () => void,
  ) {
    this.path = headers[':path'] ?? '';
    this.headers = headers;
    this.session = session;
    this.#stream = stream;
    this.#limits = limits;
    this.messages = new MessageReader(stream, limits.maxMessageBytes);
    stream.on('end', () => this.#onHalfClose());
    stream.on('close', () => {
      this.#onClose();
      onClosed();
    });
  }

  /** Made on first use: most unary calls never look at it. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Ends the call with DEADLINE_EXCEEDED after `ms`, unless it has ended by then. */
  setDeadline(ms: number): void {
    this.#deadline = setTimeout(() => {
      this.end(new GrpcError(status.deadlineExceeded, `the deadline of ${ms} ms has passed`));
    }, ms).unref();
  }

  write(message: Uint8Array | readonly Uint8Array[]): Promise<void> {
    try {
      return this.send(message) ?? Promise.resolve();
    } catch (error) {
      const rejected = Promise.reject(error);
      // A handler that does not await its writes is a mistake, but not one that a slow reader may end the process with.
      rejected.catch(() => {});
      return rejected;
    }
  }

  /** As write(), but what is wrong with the message is thrown at once; a promise only where the transport wants a pause. */
  send(message: Uint8Array | readonly Uint8Array[]): Promise<void> | undefined {
    if (this.#reason !== undefined) throw this.#reason;
    if (this.#trailers !== undefined) throw new GrpcError(status.internal, 'write after the call has ended');
    if (!this.#stream.headersSent) this.#respond();
    this.#writer ??= new MessageWriter(this.#stream, this.#limits, () =>
      this.#reset('the caller does not read'),
    );
    return this.#writer.write(message);
  }

  /** Sends the status, once; later calls do nothing. An error also aborts the signal and the incoming messages. */
  end(error?: GrpcError): void {
    if (this.#trailers !== undefined) return;
    this.#trailers = trailersOf(error);
    clearTimeout(this.#deadline);
    if (error !== undefined) this.#abort(error);
    if (this.#stream.destroyed || this.#stream.closed) return;
    if (this.#stream.headersSent) this.#endAfterWrites();
    else this.#stream.respond({ ...responseHeaders, ...this.#trailers }, { endStream: true });
    // What the caller still sends is thrown away until it half-closes or the linger timer ends it: resetting the stream now
    // could overtake the status.
    this.#stream.resume();
    this.#linger = setTimeout(
      () => this.#stream.close(constants.NGHTTP2_CANCEL),
      this.#limits.stallMs,
    ).unref();
  }

  #endAfterWrites(): void {
    const waiting = this.#writer?.idle;
    if (waiting === undefined) this.#stream.end();
    else void waiting.then(() => this.#stream.end());
  }

  #respond(): void {
    this.#stream.on('wantTrailers', () => {
      this.#stream.sendTrailers(this.#trailers ?? trailersOf(new GrpcError(status.internal, 'no status')));
    });
    this.#stream.respond(responseHeaders, responseOptions);
  }

  #onHalfClose(): void {
    // A reset with NO_ERROR ends the readable side too; `close` follows and settles the call.
    if (this.#stream.aborted) return;
    this.messages.finish(
      this.messages.partial ? new GrpcError(status.internal, 'the request ends inside a message') : undefined,
    );
  }

  #onClose(): void {
    clearTimeout(this.#deadline);
    clearTimeout(this.#linger);
    if (this.#trailers === undefined)
      this.#abort(new GrpcError(status.cancelled, 'the caller cancelled or its connection was lost'));
  }

  #reset(why: string): void {
    this.#abort(new GrpcError(status.cancelled, why));
    this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  #abort(reason: GrpcError): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.messages.fail(reason);
    this.#controller?.abort(reason);
  }
}

const responseHeaders = { ':status': 200, 'content-type': grpcContentType } as const;

/** No `date`: gRPC has no use for it, and every call would pay for it. */
const responseOptions = { waitForTrailers: true, sendDate: false };

const okTrailers: Record<string, string> = { 'grpc-status': '0' };

function trailersOf(error: GrpcError | undefined): Record<string, string> {
  if (error === undefined) return okTrailers;
  return { 'grpc-status': String(error.code), 'grpc-message': encodeStatusMessage(error.message) };
}
