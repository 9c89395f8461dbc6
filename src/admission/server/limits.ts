// The limits of the webhook server that operators and tests set, their defaults and why; others stand where they are used.
//
// An address is an IPv4 address, or the /64 of an IPv6 address (network-of.ts). What one may have is three quarters of what there is: API
// servers are few, and behind a proxy or NAT they are one, which must be able to do nearly all that can be done; what is left is for the
// first who come from elsewhere. How it is shared when more come: load.ts and connections.ts.

/** Bytes, counts and milliseconds. */
export interface WebhookLimits {
  /** One request. Objects have up to 3 MiB as JSON (what API servers take of clients), and an update brings the old one too. */
  readonly maxBodyBytes: number;
  /** Memory of all requests that have been begun and not been answered: of bodies what has come, then what has been parsed from them. */
  readonly maxBytesUnderWay: number;
  readonly maxBytesUnderWayPerAddress: number;
  /** Requests that have come whole and not been answered. An API server admits 200 changes at a time by default (--max-mutating-requests-inflight). */
  readonly maxUnderWay: number;
  readonly maxUnderWayPerAddress: number;
  /** An API server keeps 25 idle connections for each webhook; and one for each request under way. */
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  /** Node.js's own default; what API servers send is below 1 KiB, and a proxy may add to it. */
  readonly maxHeaderBytes: number;
  /** A TLS handshake: API servers give a webhook 30 s in all at most, and one that takes a third of it is of no use to them. */
  readonly handshakeMs: number;
  /** From the end of the headers to the end of the body: API servers send both at once. */
  readonly bodyMs: number;
  /**
   * Longer than an API server keeps a connection that it does not use, which is 90 s: a connection that both want to end and to use in
   * the same moment costs an admission, because a POST is not repeated. Holds for connections that were opened ahead of need as
   * well, and so for headers that do not end; those who bring such are told apart when connections are scarce.
   */
  readonly idleMs: number;
  /** Then a connection is closed with its answer, so that API servers find a replica that has been added. */
  readonly maxRequestsPerConnection: number;
  /** What a replica that has too much to do asks the API server to wait, in whole seconds. */
  readonly retryAfterSeconds: number;
}

export const defaultWebhookLimits: WebhookLimits = {
  maxBodyBytes: 8 * 1024 * 1024,
  maxBytesUnderWay: 128 * 1024 * 1024,
  maxBytesUnderWayPerAddress: 96 * 1024 * 1024,
  maxUnderWay: 512,
  maxUnderWayPerAddress: 384,
  maxConnections: 2_048,
  maxConnectionsPerAddress: 1_536,
  maxHeaderBytes: 16 * 1024,
  handshakeMs: 10_000,
  bodyMs: 5_000,
  idleMs: 120_000,
  maxRequestsPerConnection: 1_000,
  retryAfterSeconds: 1,
};
