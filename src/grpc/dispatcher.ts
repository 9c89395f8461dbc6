// From a request to its method's handler, and from the handler's outcome to a status.

import {
  constants,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Method } from './call.ts';
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
    stream.on('error', ignore);
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
    const calls = method?.kind === 'stream' && method.endless === true ? this.#endless : this.#others;
    // A stream that a server emits has a server session.
    const session = stream.session as ServerHttp2Session;
    const limits = limitsOf(method, this.#limits);
    const call = new ServerCall(stream, session, headers, limits, () => calls.delete(call));
    calls.add(call);
    if (refusal === undefined) this.#handle(call, method).catch((error: unknown) => this.#fail(call, error));
    else call.end(refusal.error);
  }

  async #handle(call: ServerCall, method: CallMethod | undefined): Promise<void> {
    if (method === undefined) throw new GrpcError(status.unimplemented, `there is no method ${call.path}`);
    const timeoutMs = parseTimeout(singleHeader(call.headers['grpc-timeout']));
    if (timeoutMs !== undefined) call.setDeadline(timeoutMs);
    if (method.kind === 'unary') {
      method.admit?.(call);
      const response = await method.handle(await readOne(call, this.#limits.requestMs), call);
      // Not awaited: the status leaves with the answer, and whether the peer reads them is the linger timer's business.
      call.send(response);
    } else {
      await method.handle(call);
    }
    call.end();
  }

  #fail(call: ServerCall, error: unknown): void {
    if (!(error instanceof GrpcError)) this.#hooks.onHandlerError?.(error, call.path);
    call.end(error instanceof GrpcError ? error : new GrpcError(status.internal, 'internal error'));
  }
}

function ignore(): void {}

type CallMethod = Exclude<Method, { kind: 'raw' }>;

function limitsOf(method: CallMethod | undefined, limits: GrpcLimits): GrpcLimits {
  if (method?.kind !== 'unary' || method.maxRequestBytes === undefined) return limits;
  return { ...limits, maxMessageBytes: Math.min(method.maxRequestBytes, limits.maxMessageBytes) };
}

/** The one message of a unary request. */
async function readOne(call: ServerCall, requestMs: number): Promise<Uint8Array> {
  const late = setTimeout(() => {
    call.end(new GrpcError(status.deadlineExceeded, `the request did not arrive within ${requestMs} ms`));
  }, requestMs).unref();
  try {
    return await call.messages.single();
  } finally {
    clearTimeout(late);
  }
}

function singleHeader(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(',') : value;
}
