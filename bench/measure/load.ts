// Calls a unary gRPC method as Envoy does: a few connections, several calls at once on each.

import { H2Client, type Headers } from './h2-client.ts';
import type { Template } from './template.ts';

export interface Load {
  readonly socket: string;
  /** Full method name. */
  readonly method: string;
  /** Taken in turn. */
  readonly requests: readonly Template[];
  readonly calls: number;
  /** Number of the first call. */
  readonly first: number;
  /** How many different requests there are; default: all are. */
  readonly distinct?: number;
}

export interface LoadResult {
  /** Calls that were answered without a message. */
  readonly failed: number;
  /** Calls whose answer is short, as that of an allowed request is: only a denial has something to say. */
  readonly allowed: number;
}

/** Envoy has one connection for each of its workers. */
const connections = 2;
const inFlight = 8;
const maxAllowedBytes = 20;

/** Resolves when all calls are answered. */
export async function callMany(load: Load): Promise<LoadResult> {
  const share = Math.ceil(load.calls / connections);
  const results = await Promise.all(
    Array.from({ length: connections }, (_, index) =>
      callOnConnection({ ...load, calls: share, first: load.first + index * share }),
    ),
  );
  return {
    failed: results.reduce((sum, { failed }) => sum + failed, 0),
    allowed: results.reduce((sum, { allowed }) => sum + allowed, 0),
  };
}

/** What Envoy's gRPC client sends. */
function requestHeaders(method: string): Headers {
  return [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', method],
    [':authority', 'trellis-authz'],
    ['te', 'trailers'],
    ['grpc-timeout', '1000m'],
    ['content-type', 'application/grpc'],
    ['x-envoy-internal', 'true'],
    ['x-forwarded-for', '10.1.2.3'],
  ];
}

async function callOnConnection({
  socket,
  method,
  requests,
  calls,
  first,
  distinct,
}: Load): Promise<LoadResult> {
  const client = await H2Client.connect({ path: socket }, requestHeaders(method));
  return new Promise((resolve) => {
    let started = 0;
    let ended = 0;
    let failed = 0;
    let allowed = 0;
    const startMore = (): void => {
      while (started - ended < inFlight && started < calls) {
        const number = distinct === undefined ? first + started : (first + started) % distinct;
        const request = requests[number % requests.length]?.framed(number);
        if (request === undefined || request.length > client.window) return;
        started += 1;
        let answer = 0;
        const id = client.open({
          onData: (chunk) => {
            answer += chunk.length;
          },
          onEnd: () => {
            ended += 1;
            if (answer === 0) failed += 1;
            else if (answer <= maxAllowedBytes) allowed += 1;
            if (ended < calls) return startMore();
            client.close();
            resolve({ failed, allowed });
          },
        });
        client.send(id, request, true);
      }
    };
    client.onWindow = startMore;
    startMore();
    client.flush();
  });
}
