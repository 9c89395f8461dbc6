// From a request to its method's handler, and from the handler's outcome to a status.

import {
  constants,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Method, UnaryHandler } from './call.ts';
import type { GrpcLimits } from './limits.ts';
import { checkRequest } from './request-check.ts';
import { ServerCall } from './server-call.ts';
import { GrpcError, status } from './status.ts';
import { parseTimeout } from './timeout.ts';

export interface GrpcServerHooks {
  /** A handler threw something that is no GrpcError: the caller is told no more than INTERNAL. */
  readonly onHandlerError?: (error: unknown, path: string) => void;
}

export class Dispatcher {
  readonly #methods: ReadonlyMap<string, Method>;
  readonly #limits: GrpcLimits;
  readonly #hooks: GrpcServerHooks;
  readonly #endless = new Set<ServerCall>();
  readonly #others = new Set<ServerCall>();

  constructor(methods: ReadonlyMap<string, Method>, limits: GrpcLimits, hooks: GrpcServerHooks) {
    this.#methods = methods;
    this.#limits = limits;
    this.#hooks = hooks;
  }

  endEndless(error: GrpcError): void {
    for (const call of this.#endless) call.end(error);
  }

  endAll(error: GrpcError): void {
    for (const call of [...this.#endless, ...this.#others]) call.end(error);
  }

  dispatch(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    // Without a listener a reset would be an uncaught error; whoever handles the stream sees its close.
    stream.on('error', () => {});
    const refusal = checkRequest(headers);
    if (refusal !== undefined && 'httpStatus' in refusal) {
      stream.respond({ [constants.HTTP2_HEADER_STATUS]: refusal.httpStatus }, { endStream: true });
      return;
    }
    const method = refusal === undefined ? this.#methods.get(headers[':path'] ?? '') : undefined;
    if (method?.kind === 'raw') {
      method.handle(stream, headers);
      return;
    }
    // A stream that a server emits has a server session.
    const call = new ServerCall(stream, stream.session as ServerHttp2Session, headers, this.#limits);
    if (refusal === undefined) this.#run(call, stream, method);
    else call.end(refusal.error);
  }

  #run(call: ServerCall, stream: ServerHttp2Stream, method: CallMethod | undefined): void {
    const calls = method?.kind === 'stream' && method.endless === true ? this.#endless : this.#others;
    calls.add(call);
    stream.once('close', () => calls.delete(call));
    this.#handle(call, method).catch((error: unknown) => this.#fail(call, error));
  }

  async #handle(call: ServerCall, method: CallMethod | undefined): Promise<void> {
    if (method === undefined) throw new GrpcError(status.unimplemented, `there is no method ${call.path}`);
    const timeoutMs = parseTimeout(singleHeader(call.headers['grpc-timeout']));
    if (timeoutMs !== undefined) call.setDeadline(timeoutMs);
    if (method.kind === 'unary') await runUnary(call, method.handle, this.#limits.requestMs);
    else await method.handle(call);
    call.end();
  }

  #fail(call: ServerCall, error: unknown): void {
    if (!(error instanceof GrpcError)) this.#hooks.onHandlerError?.(error, call.path);
    call.end(error instanceof GrpcError ? error : new GrpcError(status.internal, 'internal error'));
  }
}

type CallMethod = Exclude<Method, { kind: 'raw' }>;

async function runUnary(call: ServerCall, handle: UnaryHandler, requestMs: number): Promise<void> {
  const response = await handle(await readOne(call, requestMs), call);
  // Not awaited: the status leaves with the answer, and whether the peer reads them is the linger timer's business.
  call.send(response);
}

/** The one message of a unary request. */
async function readOne(call: ServerCall, requestMs: number): Promise<Uint8Array> {
  const late = setTimeout(() => {
    call.end(new GrpcError(status.deadlineExceeded, `the request did not arrive within ${requestMs} ms`));
  }, requestMs).unref();
  try {
    const messages = call.messages[Symbol.asyncIterator]();
    const first = await messages.next();
    if (first.done === true || (await messages.next()).done !== true) {
      throw new GrpcError(status.unimplemented, 'a unary call has exactly one request message');
    }
    return first.value;
  } finally {
    clearTimeout(late);
  }
}

function singleHeader(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(',') : value;
}
