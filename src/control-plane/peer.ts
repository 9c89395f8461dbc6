// Who is at the other end of a connection to the control plane.

import type { ServerHttp2Session } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { CryptoError } from '../crypto/errors.ts';
import { GrpcError, status } from '../grpc/status.ts';
import type { TrustBundle } from '../identity/bundle.ts';
import { agentIdOf } from '../identity/ids.ts';
import { agentRenewalGraceMs } from '../identity/lifetimes.ts';
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
    return this.#agent(session, 0);
  }

  /**
   * The same for an agent that renews its own SVID, and for nothing else: that SVID may have ended a while ago, because the
   * control plane was away.
   * @throws GrpcError UNAUTHENTICATED
   */
  renewingAgent(session: ServerHttp2Session): AgentPeer {
    return this.#agent(session, agentRenewalGraceMs);
  }

  /** Whether it is an agent's connection, at this moment. */
  isAgent(session: ServerHttp2Session): boolean {
    try {
      this.agent(session);
      return true;
    } catch (error) {
      if (error instanceof GrpcError) return false;
      throw error;
    }
  }

  #agent(session: ServerHttp2Session, graceMs: number): AgentPeer {
    // OpenSSL's word first, then ours: both must accept the chain. It tells one error of several, so ours looks for the others.
    const socket = session.socket as TLSSocket;
    if (!socket.authorized && !(graceMs > 0 && isExpired(socket)))
      throw unauthenticated('this call needs the client certificate of an agent');
    const peer = this.#peers.get(session) ?? this.#authenticate(socket, graceMs);
    if (this.#options.now().getTime() > peer.notAfter.getTime() + graceMs)
      throw unauthenticated('the certificate of this connection has expired');
    this.#peers.set(session, peer);
    return peer;
  }

  #authenticate(socket: TLSSocket, graceMs: number): AgentPeer {
    const { bundle, now } = this.#options;
    try {
      const peer = verifyPeer(socket, {
        anchors: bundle.anchors,
        trustDomain: bundle.trustDomain,
        purpose: 'client',
        now: now(),
        graceMs,
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

function isExpired({ authorizationError }: TLSSocket): boolean {
  // Node gives OpenSSL's name for it as a string, whatever the types say.
  return String(authorizationError) === 'CERT_HAS_EXPIRED';
}

function unauthenticated(message: string): GrpcError {
  return new GrpcError(status.unauthenticated, message);
}
