// Is this HTTP/2 request a gRPC call at all? ("gRPC over HTTP2", Requests.)

import type { IncomingHttpHeaders } from 'node:http2';
import { GrpcError, status } from './status.ts';

export const grpcContentType = 'application/grpc';

/** Either a plain HTTP status, for a peer that does not speak gRPC, or a gRPC status, for one that does but not well. */
export type Refusal = { readonly httpStatus: number } | { readonly error: GrpcError };

/** `undefined` when the request may go on to its method. */
export function checkRequest(headers: IncomingHttpHeaders): Refusal | undefined {
  if (headers[':method'] !== 'POST') return { httpStatus: 405 };
  if (!isGrpcContentType(headers['content-type'])) return { httpStatus: 415 };
  // A proxy on the way that cannot carry trailers would lose every status.
  if (headers['te'] !== 'trailers')
    return { error: new GrpcError(status.invalidArgument, 'the request must say te: trailers') };
  return undefined;
}

/** `application/grpc`, also with a `+proto` suffix or parameters. */
export function isGrpcContentType(value: string | undefined): boolean {
  if (value === undefined || !value.startsWith(grpcContentType)) return false;
  const next = value[grpcContentType.length];
  return next === undefined || next === '+' || next === ';';
}
