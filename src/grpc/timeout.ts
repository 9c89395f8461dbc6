// The grpc-timeout header: 1 to 8 ASCII digits and a unit ("gRPC over HTTP2", Timeout).

import { GrpcError, status } from './status.ts';

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** Longest delay setTimeout can keep (2^31 - 1 ms, 24 days): beyond it a timer would fire at once. */
const maxTimerMs = 2_147_483_647;

/** Most digits the header may carry. */
const maxValue = 99_999_999;

/** Milliseconds until the deadline, rounded up and at least 1; `undefined` without a header. Throws INVALID_ARGUMENT for anything malformed. */
export function parseTimeout(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const unit = unitMs[header.at(-1) ?? ''];
  if (unit === undefined || !/^\d{1,8}.$/.test(header)) {
    throw new GrpcError(status.invalidArgument, 'grpc-timeout must be 1 to 8 digits and one of H M S m u n');
  }
  return Math.min(Math.max(Math.ceil(Number.parseInt(header, 10) * unit), 1), maxTimerMs);
}

/** The header value for a timeout in milliseconds. */
export function formatTimeout(ms: number): string {
  const whole = Math.max(Math.ceil(ms), 1);
  return whole <= maxValue ? `${whole}m` : `${Math.min(Math.ceil(whole / 1000), maxValue)}S`;
}
