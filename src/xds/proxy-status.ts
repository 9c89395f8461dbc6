// What a stream of discovery requests tells about the proxy at its other end. Read-only, and always current.

import type { Snapshot, TypeUrl } from './resources.ts';

export interface ResponseId {
  readonly nonce: string;
  /** Names the state of the mesh that was sent (`system_version_info`). */
  readonly version: string;
}

export interface Rejection extends ResponseId {
  /** What the proxy says, cut to size. */
  readonly message: string;
}

export interface TypeStatus {
  readonly typeUrl: TypeUrl;
  /** Subscribed to all there is. */
  readonly wildcard: boolean;
  /** Names subscribed to one by one. */
  readonly names: number;
  readonly sent: ResponseId | undefined;
  readonly acked: ResponseId | undefined;
  /** The newest NACK of the stream; it may be long repaired: see `rejected`. */
  readonly lastRejection: Rejection | undefined;
  /** Resources that the proxy refuses in their current version, by name. */
  readonly rejected: ReadonlyMap<string, Rejection>;
  /** Everything was sent, and answered. */
  readonly inStep: boolean;
}

export interface ProxyStatus {
  /** One per type that the proxy asked for. */
  readonly types: readonly TypeStatus[];
}

export interface Ack extends ResponseId {
  readonly typeUrl: TypeUrl;
  /** The state that the acknowledged response brought: with the time at which it was made, this gives the push delay. */
  readonly snapshot: Snapshot;
}

export interface Nack extends ResponseId {
  readonly typeUrl: TypeUrl;
  /** Of the rejected response: the bad resource is among them, and by itself when there is one. */
  readonly names: readonly string[];
  readonly message: string;
}

export interface DeltaHooks {
  readonly onOpen?: (status: ProxyStatus) => void;
  readonly onAck?: (ack: Ack) => void;
  readonly onNack?: (nack: Nack) => void;
}
