// Connections without an agent's certificate: of agents that are to join, or that come too late to renew, and of whoever else
// reaches the port. They get what one such call needs, and together no more than the control plane can spare.

import type { Http2SecureServer, ServerHttp2Session } from 'node:http2';

export interface StrangerLimits {
  /** Calls of one connection at a time. An agent that joins makes one. */
  readonly maxStreams: number;
  /** More than two round trips and a signature take on the worst of networks. */
  readonly lifeMs: number;
  /** Connections at once. Times `maxStreams` and the largest request, this is the memory that strangers can hold: 32 MiB. */
  readonly maxSessions: number;
}

export const strangerLimits: StrangerLimits = { maxStreams: 8, lifeMs: 30_000, maxSessions: 128 };

/** Applies the limits to every connection that is not an agent's when it begins. */
export function guardStrangers(
  server: Pick<Http2SecureServer, 'on'>,
  isAgent: (session: ServerHttp2Session) => boolean,
  limits: StrangerLimits = strangerLimits,
): void {
  const strangers = new Set<ServerHttp2Session>();
  server.on('session', (session: ServerHttp2Session) => {
    if (session.destroyed || isAgent(session)) return;
    strangers.add(session);
    const timer = setTimeout(() => session.destroy(), limits.lifeMs).unref();
    session.once('close', () => {
      clearTimeout(timer);
      strangers.delete(session);
    });
    // nghttp2 holds the peer to it at once, also one that does not acknowledge it.
    session.settings({ maxConcurrentStreams: limits.maxStreams });
    // The oldest goes: connections that are only held open must not keep out an agent that wants to join.
    const [oldest] = strangers;
    if (strangers.size > limits.maxSessions) oldest?.destroy();
  });
}
