// gRPC status codes and the error that carries one (grpc.github.io/grpc/core/md_doc_statuscodes.html).

/** The codes of the gRPC specification. */
export const status = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;

export type StatusCode = (typeof status)[keyof typeof status];

/** An outcome other than OK. A handler that throws one decides what the caller is told; its message goes over the wire. */
export class GrpcError extends Error {
  readonly code: number;

  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'GrpcError';
    this.code = code;
  }
}

/** Status messages travel in a header block that the peer limits, and may quote hostile input. */
const maxMessageChars = 1024;

/** Percent-encodes a status message: printable ASCII but `%` as it is, every other UTF-8 byte as %XX ("gRPC over HTTP2", Status-Message). */
export function encodeStatusMessage(message: string): string {
  const cut = message.length > maxMessageChars ? `${message.slice(0, maxMessageChars)}…` : message;
  if (/^[\x20-\x24\x26-\x7e]*$/.test(cut)) return cut;
  return Array.from(Buffer.from(cut, 'utf8'), percentEncoded).join('');
}

function percentEncoded(byte: number): string {
  const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
  return plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** The reverse. Broken escapes are kept as they are: the specification forbids losing the message over them. */
export function decodeStatusMessage(encoded: string): string {
  if (!encoded.includes('%')) return encoded;
  const bytes: number[] = [];
  for (let i = 0; i < encoded.length; i++) {
    const hex = encoded[i] === '%' ? encoded.slice(i + 1, i + 3) : '';
    if (/^[0-9a-fA-F]{2}$/.test(hex)) {
      bytes.push(Number.parseInt(hex, 16));
      i += 2;
    } else {
      bytes.push(...Buffer.from(encoded[i] ?? '', 'utf8'));
    }
  }
  return Buffer.from(bytes).toString('utf8');
}

/** What an HTTP response without a grpc-status means (grpc.github.io/grpc/core/md_doc_http-grpc-status-mapping.html). */
export function statusFromHttp(httpStatus: number): StatusCode {
  switch (httpStatus) {
    case 400:
      return status.internal;
    case 401:
      return status.unauthenticated;
    case 403:
      return status.permissionDenied;
    case 404:
      return status.unimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return status.unavailable;
    default:
      return status.unknown;
  }
}
