// From a request to its method's handler.

import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { Method } from './call.ts';
import type { GrpcLimits } from './limits.ts';
import { OpenCalls } from './open-calls.ts';
import { checkRequest } from './request-check.ts';
import { type CallContext, closeCall, type ServerCall } from './server-call.ts';
import type { StreamOwner } from './session-guard.ts';
import { GrpcError, status } from './status.ts';
import { StreamingCall } from './streaming-call.ts';
import { parseTimeout } from './timeout.ts';
import { UnaryCall } from './unary-call.ts';

export interface GrpcServerHooks {
  /** A handler threw something that is no GrpcError: the caller is told no more than INTERNAL. */
  readonly onHandlerError?: (error: unknown, path: string) => void;
}

interface Route {
  readonly method: Method;
  readonly context: CallContext;
}

export class Dispatcher implements StreamOwner {
  readonly #open = new OpenCalls();
  readonly #routes: ReadonlyMap<string, Route>;
  /** For calls that never get to a method. */
  readonly #nowhere: CallContext;

  constructor(methods: ReadonlyMap<string, Method>, limits: GrpcLimits, hooks: GrpcServerHooks) {
    const { maxMessageBytes } = limits;
    const { onHandlerError } = hooks;
    this.#nowhere = { limits, maxRequestBytes: maxMessageBytes, open: this.#open, onHandlerError };
    this.#routes = new Map(
      [...methods].map(([path, method]) => {
        const own = method.kind === 'unary' ? method.maxRequestBytes : undefined;
        const maxRequestBytes = Math.min(own ?? maxMessageBytes, maxMessageBytes);
        return [path, { method, context: { ...this.#nowhere, maxRequestBytes } }];
      }),
    );
  }

  endEndless(error: GrpcError): void {
    this.#open.endEndless(error);
  }

  endAll(error: GrpcError): void {
    this.#open.endAll(error);
  }

  opened(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    // Without a listener a reset would be an uncaught error; whoever handles the stream sees its close.
    stream.on('error', ignore);
    const refusal = checkRequest(headers);
    if (refusal !== undefined) {
      if ('httpStatus' in refusal)
        stream.respond({ [constants.HTTP2_HEADER_STATUS]: refusal.httpStatus }, { endStream: true });
      else this.#refuse(stream, headers, refusal.error);
      return;
    }
    const path = headers[':path'] ?? '';
    const route = this.#routes.get(path);
    if (route === undefined)
      this.#refuse(stream, headers, new GrpcError(status.unimplemented, `there is no method ${path}`));
    else if (route.method.kind === 'raw') route.method.handle(stream, headers);
    else if (route.method.kind === 'unary') this.#unary(stream, headers, route.method, route.context);
    else this.#streaming(stream, headers, route.method, route.context);
  }

  closed(stream: ServerHttp2Stream): void {
    closeCall(stream);
  }

  #refuse(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, error: GrpcError): void {
    const call = new StreamingCall(stream, headers, this.#nowhere);
    this.#open.add(call, false);
    call.end(error);
  }

  #unary(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    method: Extract<Method, { kind: 'unary' }>,
    context: CallContext,
  ): void {
    const call = new UnaryCall(stream, headers, context, method.handle);
    this.#open.addBrief(call);
    try {
      setDeadline(call);
      method.admit?.(call);
    } catch (error) {
      call.fail(error);
    }
  }

  #streaming(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    method: Extract<Method, { kind: 'stream' }>,
    context: CallContext,
  ): void {
    const call = new StreamingCall(stream, headers, context);
    this.#open.add(call, method.endless === true);
    const run = async (): Promise<void> => {
      setDeadline(call);
      await method.handle(call);
      call.end();
    };
    run().catch((error: unknown) => call.fail(error));
  }
}

function ignore(): void {}

function setDeadline(call: ServerCall): void {
  const timeout = call.headers['grpc-timeout'];
  const timeoutMs = parseTimeout(Array.isArray(timeout) ? timeout.join(',') : timeout);
  if (timeoutMs !== undefined) call.setDeadline(timeoutMs);
}
