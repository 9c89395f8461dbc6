// One call on the server: its deadline, its signal and its end.

import {
  constants,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Call } from './call.ts';
import { checkLength, frame } from './framing.ts';
import type { GrpcLimits } from './limits.ts';
import { MessageWriter, maxJoinedBytes } from './message-writer.ts';
import { briefMs, type OpenCall, type OpenCalls } from './open-calls.ts';
import { grpcContentType } from './request-check.ts';
import { encodeStatusMessage, GrpcError, status } from './status.ts';

/** What the calls of one method share. */
export interface CallContext {
  readonly limits: GrpcLimits;
  /** Of one message of the caller's. */
  readonly maxRequestBytes: number;
  readonly open: OpenCalls;
  /** A handler threw something that is no GrpcError. */
  readonly onHandlerError: ((error: unknown, path: string) => void) | undefined;
}

/**
 * Where a stream keeps its call. Node holds on to streams that have ended, and to all that hangs on them, until the next full
 * garbage collection. So the listeners are the same functions for all streams, and the slot is emptied at the close.
 */
const slot = Symbol('call');

type CallStream = ServerHttp2Stream & { [slot]?: ServerCall | undefined };

export abstract class ServerCall implements Call, OpenCall {
  place: number | undefined = undefined;
  readonly headers: IncomingHttpHeaders;
  readonly session: ServerHttp2Session;
  protected readonly stream: ServerHttp2Stream;
  protected readonly context: CallContext;
  #writer: MessageWriter | undefined = undefined;
  #controller: AbortController | undefined = undefined;
  /** Why the call ended before its handler did. */
  #reason: GrpcError | undefined = undefined;
  #trailers: Record<string, string> | undefined = undefined;
  #timed = false;
  #deadlineAt = 0;
  #deadlineMs: number | undefined = undefined;
  #deadline: NodeJS.Timeout | undefined = undefined;
  #linger: NodeJS.Timeout | undefined = undefined;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, context: CallContext) {
    this.headers = headers;
    // A stream that a server emits has a server session.
    this.session = stream.session as ServerHttp2Session;
    this.stream = stream;
    this.context = context;
    (stream as CallStream)[slot] = this;
    stream.on('data', onData);
    stream.on('end', onEnd);
  }

  // What the stream's listeners call.

  /** Takes bytes of the request. */
  abstract receive(chunk: Buffer): void;

  /** The caller has sent all it had to say. */
  protected abstract halfClosed(): void;

  /** The call is over for this reason, before the caller half-closed or its handler returned. */
  protected abstract aborted(reason: GrpcError): void;

  get path(): string {
    return this.headers[':path'] ?? '';
  }

  /** Made on first use: most unary calls never look at it. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Nothing more can be said to the caller. */
  protected get isOver(): boolean {
    return this.#trailers !== undefined || this.#reason !== undefined;
  }

  /** Ends the call with DEADLINE_EXCEEDED after `ms`, unless it has ended by then. */
  setDeadline(ms: number): void {
    this.#deadlineMs = ms;
    this.#deadlineAt = performance.now() + ms;
    if (this.#timed) this.#startDeadline(ms);
    else if (ms < briefMs) this.startTimers();
  }

  /** From here on the call watches its time. Most unary calls are over before that is worth a timer. */
  startTimers(): void {
    if (this.#timed) return;
    this.#timed = true;
    if (this.#trailers !== undefined) this.#startLinger();
    else if (this.#deadlineMs !== undefined)
      this.#startDeadline(Math.max(this.#deadlineAt - performance.now(), 1));
  }

  /** Sends a message; what is wrong with it is thrown at once. A promise only where the transport wants a pause. */
  protected send(message: Uint8Array | readonly Uint8Array[]): Promise<void> | undefined {
    if (this.#reason !== undefined) throw this.#reason;
    if (this.#trailers !== undefined) throw new GrpcError(status.internal, 'write after the call has ended');
    if (!this.stream.headersSent) this.#respond();
    this.#writer ??= new MessageWriter(this.stream, this.context.limits, () =>
      this.#reset('the caller does not read'),
    );
    return this.#writer.write(message);
  }

  /** Sends the only message and the status OK. Throws RESOURCE_EXHAUSTED for a message over the limit. */
  protected answer(message: Uint8Array): void {
    if (this.isOver || this.stream.destroyed || this.stream.closed) return;
    if (message.length > maxJoinedBytes) {
      // Not awaited: the status leaves with the answer, and whether the peer reads them is the linger timer's business.
      void this.send(message);
      this.end();
      return;
    }
    checkLength(message.length, this.context.limits.maxMessageBytes);
    this.#settle(okTrailers);
    this.#respond();
    this.stream.end(frame(message));
    if (this.#timed) this.#startLinger();
  }

  /** Sends the status, once; later calls do nothing. An error also aborts the signal and the incoming messages. */
  end(error?: GrpcError): void {
    if (this.#trailers !== undefined) return;
    const trailers = trailersOf(error);
    this.#settle(trailers);
    if (error !== undefined) this.#abort(error);
    if (this.stream.destroyed || this.stream.closed) return;
    if (this.stream.headersSent) this.#endAfterWrites();
    else this.stream.respond({ ...responseHeaders, ...trailers }, { endStream: true });
    // What the caller still sends is thrown away until it half-closes or the linger timer ends it: resetting the stream now
    // could overtake the status.
    this.stream.resume();
    if (this.#timed) this.#startLinger();
  }

  /** Ends the call with what a handler threw: the caller is told no more than INTERNAL of what is no GrpcError. */
  fail(error: unknown): void {
    if (error instanceof GrpcError) {
      this.end(error);
      return;
    }
    this.context.onHandlerError?.(error, this.path);
    this.end(new GrpcError(status.internal, 'internal error'));
  }

  onHalfClose(): void {
    // A reset with NO_ERROR ends the readable side too; `close` follows and settles the call.
    if (!this.stream.aborted) this.halfClosed();
  }

  onWantTrailers(): void {
    this.stream.sendTrailers(this.#trailers ?? trailersOf(new GrpcError(status.internal, 'no status')));
  }

  onClose(): void {
    clearTimeout(this.#deadline);
    clearTimeout(this.#linger);
    if (this.#trailers === undefined)
      this.#abort(new GrpcError(status.cancelled, 'the caller cancelled or its connection was lost'));
    this.context.open.delete(this);
  }

  #startDeadline(ms: number): void {
    this.#deadline = setTimeout(() => {
      this.end(new GrpcError(status.deadlineExceeded, `the deadline of ${this.#deadlineMs} ms has passed`));
    }, ms).unref();
  }

  #startLinger(): void {
    this.#linger = setTimeout(
      () => this.stream.close(constants.NGHTTP2_CANCEL),
      this.context.limits.stallMs,
    ).unref();
  }

  #settle(trailers: Record<string, string>): void {
    this.#trailers = trailers;
    clearTimeout(this.#deadline);
  }

  #endAfterWrites(): void {
    const waiting = this.#writer?.idle;
    if (waiting === undefined) this.stream.end();
    else void waiting.then(() => this.stream.end());
  }

  #respond(): void {
    this.stream.on('wantTrailers', onWantTrailers);
    this.stream.respond(responseHeaders, responseOptions);
  }

  #reset(why: string): void {
    this.#abort(new GrpcError(status.cancelled, why));
    this.stream.close(constants.NGHTTP2_CANCEL);
  }

  #abort(reason: GrpcError): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.aborted(reason);
    this.#controller?.abort(reason);
  }
}

function onData(this: CallStream, chunk: Buffer): void {
  this[slot]?.receive(chunk);
}

function onEnd(this: CallStream): void {
  this[slot]?.onHalfClose();
}

function onWantTrailers(this: CallStream): void {
  this[slot]?.onWantTrailers();
}

/** Settles the call of a stream that has closed, if it has one. */
export function closeCall(stream: CallStream): void {
  stream[slot]?.onClose();
  stream[slot] = undefined;
}

const responseHeaders = { ':status': 200, 'content-type': grpcContentType } as const;

/** No `date`: gRPC has no use for it, and every call would pay for it. */
const responseOptions = { waitForTrailers: true, sendDate: false };

const okTrailers: Record<string, string> = { 'grpc-status': '0' };

function trailersOf(error: GrpcError | undefined): Record<string, string> {
  if (error === undefined) return okTrailers;
  return { 'grpc-status': String(error.code), 'grpc-message': encodeStatusMessage(error.message) };
}
