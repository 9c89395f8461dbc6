// Relays a proxy's discovery stream, undecoded, over the agent's one connection to the control plane. Each stream keeps its
// own flow control: a proxy that does not read holds back its own stream and no other.

import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Method } from '../grpc/call.ts';
import { grpcContentType, isGrpcContentType } from '../grpc/request-check.ts';
import { encodeStatusMessage, status } from '../grpc/status.ts';
import { adsPath } from '../xds/agreed-names.ts';

const defaultLingerMs = 5000;

export interface RelayOptions {
  /** The connection, while there is one. */
  readonly upstream: () => ClientHttp2Session | undefined;
  /** What the agent says about the stream; nothing of what the proxy says goes up but its messages. */
  readonly headers: () => Readonly<Record<string, string>>;
  /** Time for a proxy to close its side after it was told the status. */
  readonly lingerMs?: number;
}

export function relayMethod(options: RelayOptions): [string, Method] {
  return [adsPath, { kind: 'raw', handle: (stream) => relay(stream, options) }];
}

/** As it came: the message is percent-encoded already. */
interface RelayedStatus {
  readonly 'grpc-status': string;
  readonly 'grpc-message': string;
}

function relay(stream: ServerHttp2Stream, options: RelayOptions): void {
  const { lingerMs = defaultLingerMs } = options;
  const request = openUpstream(options);
  if (request === undefined) {
    end(stream, unavailable('the control plane is out of reach'), lingerMs);
    return;
  }
  let ending: RelayedStatus | undefined;
  let finished = false;
  const finish = (): void => {
    if (finished) return;
    finished = true;
    stream.unpipe(request);
    end(stream, ending ?? unavailable('the connection to the control plane was lost'), lingerMs);
    request.close(ending === undefined ? constants.NGHTTP2_CANCEL : constants.NGHTTP2_NO_ERROR);
  };
  // Always followed by `close`.
  request.on('error', () => {});
  request.once('response', (headers) => {
    ending = statusOf(headers) ?? statusOfOther(headers);
    if (ending !== undefined) {
      // There is nothing to read but the end.
      request.resume();
    } else if (!stream.destroyed && !stream.closed) {
      stream.respond(responseHeaders, { waitForTrailers: true });
      request.pipe(stream, { end: false });
    }
  });
  request.once('trailers', (headers) => {
    ending ??= statusOf(headers);
  });
  // The control plane may end the stream before the proxy half-closes: then `close` would be long in coming.
  request.once('end', finish);
  request.once('close', finish);
  stream.once('close', () => request.close(constants.NGHTTP2_CANCEL));
  stream.pipe(request);
}

const responseHeaders = { ':status': 200, 'content-type': grpcContentType } as const;

function openUpstream({ upstream, headers }: RelayOptions): ClientHttp2Stream | undefined {
  const session = upstream();
  if (session === undefined || session.destroyed || session.closed) return undefined;
  try {
    return session.request({
      ...headers(),
      ':method': 'POST',
      ':path': adsPath,
      'content-type': grpcContentType,
      te: 'trailers',
    });
  } catch {
    // The session closed without having said so yet.
    return undefined;
  }
}

function statusOf(headers: IncomingHttpHeaders): RelayedStatus | undefined {
  const code = headers['grpc-status'];
  if (code === undefined) return undefined;
  return { 'grpc-status': String(code), 'grpc-message': String(headers['grpc-message'] ?? '') };
}

/** What an HTTP server answers that does not speak gRPC, a proxy on the way for example. */
function statusOfOther(headers: IncomingHttpHeaders & IncomingHttpStatusHeader): RelayedStatus | undefined {
  if (headers[':status'] === 200 && isGrpcContentType(headers['content-type'])) return undefined;
  return unavailable(`the control plane answered with HTTP ${headers[':status']}`);
}

function unavailable(message: string): RelayedStatus {
  return { 'grpc-status': String(status.unavailable), 'grpc-message': encodeStatusMessage(message) };
}

/** Tells the proxy how its stream ended, after all that was still to be sent to it. */
function end(stream: ServerHttp2Stream, ending: RelayedStatus, lingerMs: number): void {
  if (stream.destroyed || stream.closed) return;
  if (stream.headersSent) {
    stream.once('wantTrailers', () => stream.sendTrailers({ ...ending }));
    stream.end();
  } else {
    stream.respond({ ...responseHeaders, ...ending }, { endStream: true });
  }
  // What the proxy still sends goes nowhere, until it closes its side too.
  stream.resume();
  const linger = setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), lingerMs).unref();
  stream.once('close', () => clearTimeout(linger));
}
