// A call with any number of messages either way.

import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { StreamCall } from './call.ts';
import { MessageReader } from './message-reader.ts';
import { type CallContext, ServerCall } from './server-call.ts';
import { GrpcError, status } from './status.ts';

export class StreamingCall extends ServerCall implements StreamCall {
  readonly messages: MessageReader;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, context: CallContext) {
    super(stream, headers, context);
    this.messages = new MessageReader(stream, context.maxRequestBytes);
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

  receive(chunk: Buffer): void {
    this.messages.push(chunk);
  }

  protected halfClosed(): void {
    this.messages.finish(
      this.messages.partial ? new GrpcError(status.internal, 'the request ends inside a message') : undefined,
    );
  }

  protected aborted(reason: GrpcError): void {
    this.messages.fail(reason);
  }
}
