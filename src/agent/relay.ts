// Relays a proxy's discovery stream, undecoded, over the agent's one connection to the control plane.

import {
  type ClientHttp2Session,
  constants,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Method } from '../grpc/call.ts';
import { status } from '../grpc/status.ts';

const path = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';

export interface RelayOptions {
  /** The connection, while there is one. */
  readonly upstream: () => ClientHttp2Session | undefined;
  /** What the agent says about the stream; nothing of what the proxy says goes up but its messages. */
  readonly headers: () => Readonly<Record<string, string>>;
}

export function relayMethod(options: RelayOptions): [string, Method] {
  return [path, { kind: 'raw', handle: (stream) => relay(stream, options) }];
}

function relay(stream: ServerHttp2Stream, { upstream, headers }: RelayOptions): void {
  const session = upstream();
  if (session === undefined || session.destroyed || session.closed) {
    refuse(stream, 'the control plane is out of reach');
    return;
  }
  const request = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers(),
  });
  let trailers: IncomingHttpHeaders | undefined;
  request.on('response', (response) => {
    if (response['grpc-status'] !== undefined) trailers = response;
    if (!stream.headersSent)
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  });
  stream.on('wantTrailers', () => {
    stream.sendTrailers({
      'grpc-status': trailers?.['grpc-status'] ?? String(status.unavailable),
      'grpc-message': trailers?.['grpc-message'] ?? 'the connection to the control plane was lost',
    });
  });
  request.on('trailers', (received) => {
    trailers = received;
  });
  request.on('error', () => {});
  request.on('close', () => {
    if (stream.destroyed) return;
    if (!stream.headersSent) refuse(stream, 'the control plane is out of reach');
    else stream.end();
  });
  stream.on('close', () => request.close(constants.NGHTTP2_CANCEL));
  stream.pipe(request);
  request.pipe(stream, { end: false });
}

function refuse(stream: ServerHttp2Stream, message: string): void {
  stream.respond(
    {
      ':status': 200,
      'content-type': 'application/grpc',
      'grpc-status': String(status.unavailable),
      'grpc-message': message,
    },
    { endStream: true },
  );
}
