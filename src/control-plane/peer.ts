// Who is at the other end of a connection to the control plane.

import type { ServerHttp2Session } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { CryptoError } from '../crypto/errors.ts';
import { GrpcError, status } from '../grpc/status.ts';
import type { TrustBundle } from '../identity/bundle.ts';
import { agentIdOf } from '../identity/ids.ts';
import { verifyPeer } from '../identity/mesh-tls.ts';

export interface AgentPeer {
  readonly agentId: string;
  /** When its certificate ends, and with it the connection. */
  readonly notAfter: Date;
}

export interface PeerOptions {
  readonly bundle: TrustBundle;
  readonly now: () => Date;
}

/** Remembers the outcome per connection: the certificate was checked once, at the handshake. */
export class PeerAuthenticator {
  readonly #options: PeerOptions;
  readonly #peers = new WeakMap<ServerHttp2Session, AgentPeer>();

  constructor(options: PeerOptions) {
    this.#options = options;
  }

  /**
   * The agent that authenticated this connection.
   * @throws GrpcError UNAUTHENTICATED
   */
  agent(session: ServerHttp2Session): AgentPeer {
    const known = this.#peers.get(session);
    const peer = known ?? this.#authenticate(session);
    if (peer.notAfter < this.#options.now())
      throw unauthenticated('the certificate of this connection has expired');
    this.#peers.set(session, peer);
    return peer;
  }

  #authenticate(session: ServerHttp2Session): AgentPeer {
    const { bundle, now } = this.#options;
    const socket = session.socket as TLSSocket;
    // OpenSSL's word first, then ours: both must accept the chain.
    if (!socket.authorized) throw unauthenticated('this call needs the client certificate of an agent');
    try {
      const peer = verifyPeer(socket, {
        anchors: bundle.anchors,
        trustDomain: bundle.trustDomain,
        purpose: 'client',
        now: now(),
      });
      const agentId = peer === undefined ? undefined : agentIdOf(peer.id.path);
      if (peer === undefined || agentId === undefined)
        throw unauthenticated("the client certificate is not an agent's");
      return { agentId, notAfter: peer.notAfter };
    } catch (error) {
      throw error instanceof CryptoError ? unauthenticated(`${error.code}: ${error.message}`) : error;
    }
  }
}

function unauthenticated(message: string): GrpcError {
  return new GrpcError(status.unauthenticated, message);
}
