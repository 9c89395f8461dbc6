// gRPC calls over an HTTP/2 session that somebody else keeps: the agent has one to its control plane.

import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from 'node:http2';
import { frame } from './framing.ts';
import { defaultGrpcLimits } from './limits.ts';
import { MessageReader } from './message-reader.ts';
import { grpcContentType, isGrpcContentType } from './request-check.ts';
import { decodeStatusMessage, GrpcError, status, statusFromHttp } from './status.ts';
import { formatTimeout } from './timeout.ts';

export interface CallOptions {
  /** Sent with the request, lower-case names. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Largest message the server may send. */
  readonly maxMessageBytes?: number;
}

/** One request, one response. Rejects with the server's GrpcError, DEADLINE_EXCEEDED after `timeoutMs`, UNAVAILABLE when the session is gone. */
export async function unaryCall(
  session: ClientHttp2Session,
  path: string,
  request: Uint8Array,
  options: CallOptions & { readonly timeoutMs: number },
): Promise<Uint8Array> {
  const headers = { 'grpc-timeout': formatTimeout(options.timeoutMs), ...options.headers };
  const call = new ClientCall(session, path, request, { ...options, headers });
  const timer = setTimeout(() => {
    call.cancel(
      new GrpcError(status.deadlineExceeded, `${path} has not answered within ${options.timeoutMs} ms`),
    );
  }, options.timeoutMs);
  try {
    let response: Uint8Array | undefined;
    for await (const message of call.messages) {
      if (response !== undefined)
        throw new GrpcError(status.unimplemented, `${path} answered with more than one message`);
      response = message;
    }
    if (response === undefined)
      throw new GrpcError(status.unimplemented, `${path} answered without a message`);
    return response;
  } finally {
    clearTimeout(timer);
    call.cancel();
  }
}

/** One request, many responses: ends when the server ends with OK, throws its GrpcError otherwise. Leaving the loop cancels the call. */
export async function* serverStream(
  session: ClientHttp2Session,
  path: string,
  request: Uint8Array,
  options: CallOptions & { readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array, void, undefined> {
  options.signal.throwIfAborted();
  const call = new ClientCall(session, path, request, options);
  const onAbort = (): void =>
    call.cancel(new GrpcError(status.cancelled, 'the call was cancelled', { cause: options.signal.reason }));
  options.signal.addEventListener('abort', onAbort, { once: true });
  try {
    yield* call.messages;
  } finally {
    options.signal.removeEventListener('abort', onAbort);
    call.cancel();
  }
}

/** A call in which both sides send as they like. */
export interface ClientStream {
  /** What the server sends: ends when the server ends with OK, throws its GrpcError otherwise. */
  readonly messages: AsyncIterable<Uint8Array>;
  /** Sends one message; nothing holds the sender back, so this is for messages that are few and small. */
  write(message: Uint8Array): void;
  /** Resets the stream unless it has ended. */
  cancel(): void;
}

/** @throws GrpcError UNAVAILABLE when there is no connection */
export function openBidiStream(
  session: ClientHttp2Session,
  path: string,
  options: CallOptions = {},
): ClientStream {
  return new ClientCall(session, path, undefined, options);
}

class ClientCall implements ClientStream {
  readonly messages: MessageReader;
  readonly #session: ClientHttp2Session;
  readonly #stream: ClientHttp2Stream;
  #result: GrpcError | 'ok' | undefined;

  constructor(
    session: ClientHttp2Session,
    path: string,
    request: Uint8Array | undefined,
    options: CallOptions,
  ) {
    this.#session = session;
    this.#stream = openStream(session, path, options.headers ?? {});
    this.messages = new MessageReader(
      this.#stream,
      options.maxMessageBytes ?? defaultGrpcLimits.maxMessageBytes,
    );
    this.#stream.on('data', (chunk: Buffer) => this.messages.push(chunk));
    // Always followed by `close`, which settles the call.
    this.#stream.on('error', () => {});
    this.#stream.on('response', (headers) => this.#onResponse(headers));
    this.#stream.on('trailers', (headers) => this.#onStatus(headers));
    this.#stream.on('close', () => this.#onClose());
    if (request !== undefined) this.#stream.end(frame(request));
  }

  write(message: Uint8Array): void {
    if (!this.#stream.destroyed && !this.#stream.closed) this.#stream.write(frame(message));
  }

  /** Resets the stream unless it has ended; the messages end with this error. */
  cancel(error: GrpcError = new GrpcError(status.cancelled, 'the call was cancelled')): void {
    this.messages.fail(error);
    if (!this.#stream.closed) this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  #onResponse(headers: IncomingHttpHeaders & IncomingHttpStatusHeader): void {
    const httpStatus = headers[':status'] ?? 0;
    if (headers['grpc-status'] !== undefined) {
      this.#onStatus(headers);
    } else if (httpStatus !== 200 || !isGrpcContentType(headers['content-type'])) {
      const code = httpStatus === 200 ? status.unknown : statusFromHttp(httpStatus);
      this.cancel(new GrpcError(code, `the server answered with HTTP ${httpStatus}, which is not gRPC`));
    }
  }

  #onStatus(headers: IncomingHttpHeaders): void {
    if (this.#result !== undefined) return;
    const code = Number(headers['grpc-status'] ?? status.unknown);
    if (code === status.ok) this.#result = 'ok';
    else
      this.#result = new GrpcError(
        Number.isInteger(code) ? code : status.unknown,
        decodeStatusMessage(String(headers['grpc-message'] ?? '')),
      );
  }

  #onClose(): void {
    const result =
      this.#result ?? (this.#session.destroyed ? connectionLost() : statusFromReset(this.#stream.rstCode));
    if (result !== 'ok') this.messages.finish(result);
    else if (this.messages.partial)
      this.messages.finish(new GrpcError(status.internal, 'the response ends inside a message'));
    else this.messages.finish();
  }
}

function openStream(
  session: ClientHttp2Session,
  path: string,
  headers: Readonly<Record<string, string>>,
): ClientHttp2Stream {
  try {
    // request() on a destroyed session fails only later, and with a code that says nothing.
    if (session.destroyed) throw connectionLost();
    return session.request({
      ...headers,
      ':method': 'POST',
      ':path': path,
      'content-type': grpcContentType,
      te: 'trailers',
    });
  } catch (error) {
    // The session is closed, closing, or was never connected.
    throw new GrpcError(status.unavailable, 'there is no connection to the server', { cause: error });
  }
}

function connectionLost(): GrpcError {
  return new GrpcError(status.unavailable, 'the connection to the server was lost');
}

/** "gRPC over HTTP2", Errors: what a reset without a status means. */
function statusFromReset(rstCode: number | undefined): GrpcError {
  switch (rstCode) {
    case constants.NGHTTP2_REFUSED_STREAM:
      return new GrpcError(status.unavailable, 'the server refused the stream');
    case constants.NGHTTP2_CANCEL:
      return new GrpcError(status.cancelled, 'the server reset the stream');
    case constants.NGHTTP2_ENHANCE_YOUR_CALM:
      return new GrpcError(status.resourceExhausted, 'the server asks for less');
    case constants.NGHTTP2_INADEQUATE_SECURITY:
      return new GrpcError(status.permissionDenied, 'the server asks for more security');
    case constants.NGHTTP2_NO_ERROR:
    case undefined:
      return new GrpcError(status.unavailable, 'the connection ended before the call');
    default:
      return new GrpcError(status.internal, `the stream was reset with code ${rstCode}`);
  }
}
