// The aggregated discovery service, delta variant, on one gRPC stream.

import type { StreamCall } from '../grpc/call.ts';
import { DeltaStream } from './delta-stream.ts';
import { decodeDiscoveryRequest } from './discovery-request.ts';
import type { DeltaHooks } from './proxy-status.ts';
import type { SnapshotSource, TypeUrl } from './resources.ts';

export type { DeltaHooks } from './proxy-status.ts';

export interface DeltaOptions {
  /** How long a proxy's missing answer may hold back what comes after it. */
  readonly patienceMs?: number;
  /** The types that are served here; default: all. */
  readonly served?: ReadonlySet<TypeUrl>;
}

/** Many times what a cluster takes to warm, and short enough for a policy that is to be tightened. */
const defaultPatienceMs = 1000;

/**
 * Keeps one proxy in step with its source until the proxy ends the stream (returns) or the stream fails (throws a GrpcError).
 */
export async function serveDelta(
  call: StreamCall,
  source: SnapshotSource,
  hooks: DeltaHooks = {},
  { patienceMs = defaultPatienceMs, served }: DeltaOptions = {},
): Promise<void> {
  const stream = new DeltaStream(source.current(), hooks, served);
  const doorbell = new Doorbell();
  const requests = readRequests(call, stream, doorbell);
  const stopListening = source.onChange(() => {
    // Asked for at once: the source keeps what its subscribers ask for during the change, and forgets the rest.
    stream.update(source.current());
    doorbell.ring();
  });
  let patience: NodeJS.Timeout | undefined;
  try {
    while (!requests.ended) {
      for (let response = stream.next(); response !== undefined; response = stream.next())
        await call.write(response);
      if (!stream.isHoldingBack) {
        clearTimeout(patience);
        patience = undefined;
      } else if (patience === undefined) {
        patience = setTimeout(() => {
          patience = undefined;
          stream.stopWaiting();
          doorbell.ring();
        }, patienceMs).unref();
      }
      await doorbell.heard();
    }
  } finally {
    clearTimeout(patience);
    stopListening();
  }
  if (requests.error !== undefined) throw requests.error;
}

interface Requests {
  ended: boolean;
  error: unknown;
}

/** Feeds the stream with the call's requests, in the background: a proxy that does not read its responses may still speak. */
function readRequests(call: StreamCall, stream: DeltaStream, doorbell: Doorbell): Requests {
  const requests: Requests = { ended: false, error: undefined };
  const read = async (): Promise<void> => {
    try {
      for await (const message of call.messages) {
        stream.receive(decodeDiscoveryRequest(message));
        doorbell.ring();
      }
    } catch (error) {
      requests.error = error;
    }
    requests.ended = true;
    doorbell.ring();
  };
  void read();
  return requests;
}

/** Rings that nobody hears are remembered, as one. */
class Doorbell {
  #rung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  async heard(): Promise<void> {
    if (!this.#rung) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
    this.#rung = false;
  }
}
