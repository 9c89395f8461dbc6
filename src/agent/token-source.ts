// The workload's tokens. Each is asked of the control plane, and given out again while at least half of its life is left.

import type { ClientHttp2Session } from 'node:http2';
import { LRUCache } from 'lru-cache';
import { GrpcError, status } from '../grpc/status.ts';
import { maxTokenLifetimeMs } from '../identity/lifetimes.ts';
import type { MintedToken } from '../identity/tokens/token-issuer.ts';
import type { TokenType } from '../identity/tokens/types.ts';
import { mintWorkloadToken, type WorkloadName } from './identity-client.ts';

/** A workload calls some dozens of others. Full of the longest tokens it holds 4 MiB. */
const maxCachedTokens = 256;
/** One workload's share of what the control plane can mint: each costs it an ML-DSA signature. */
const maxConcurrentMints = 8;

export interface TokenSourceOptions {
  /** The connection to the control plane, while there is one. */
  readonly upstream: () => ClientHttp2Session | undefined;
  /** The workload of this agent, once that is known. */
  readonly workload: () => WorkloadName | undefined;
  readonly now: () => Date;
}

interface CachedToken {
  readonly minted: MintedToken;
  /** Milliseconds, by the clock of this node. */
  readonly receivedAt: number;
  /** Milliseconds, like `receivedAt`. */
  readonly freshUntil: number;
}

/** Tokens, remembered by type and audience. */
export class TokenSource {
  readonly #options: TokenSourceOptions;
  readonly #cache = new LRUCache<string, CachedToken>({ max: maxCachedTokens });
  /** Whoever asks for the same token at the same time waits for the same answer. */
  readonly #pending = new Map<string, Promise<MintedToken>>();

  constructor(options: TokenSourceOptions) {
    this.#options = options;
  }

  /**
   * A token with at least half of its life left.
   * @throws GrpcError RESOURCE_EXHAUSTED, UNAVAILABLE, and what the control plane says; AgentError ERR_AGENT_ANSWER
   */
  async fetch(type: TokenType, audience: string): Promise<MintedToken> {
    const name = `${type} ${audience}`;
    const cached = this.#cache.get(name);
    if (cached !== undefined && this.#isFresh(cached)) return cached.minted;
    const pending = this.#pending.get(name);
    if (pending !== undefined) return await pending;
    const minting = this.#mint(type, audience);
    this.#pending.set(name, minting);
    try {
      const minted = await minting;
      this.#cache.set(name, this.#toCache(minted));
      return minted;
    } finally {
      this.#pending.delete(name);
    }
  }

  async #mint(type: TokenType, audience: string): Promise<MintedToken> {
    if (this.#pending.size >= maxConcurrentMints)
      throw new GrpcError(status.resourceExhausted, 'too many tokens are asked for at once: try again');
    const session = this.#options.upstream();
    const workload = this.#options.workload();
    if (session === undefined || workload === undefined)
      throw new GrpcError(status.unavailable, 'the agent has no connection to the control plane');
    return await mintWorkloadToken(session, workload, { type, audience });
  }

  /** A clock that was set back must not keep a token for longer. */
  #isFresh({ receivedAt, freshUntil }: CachedToken): boolean {
    const now = this.#options.now().getTime();
    return now >= receivedAt && now < freshUntil;
  }

  /** The expiry is by the clock of the control plane: where ours is behind, a token would seem to live for longer than any. */
  #toCache(minted: MintedToken): CachedToken {
    const receivedAt = this.#options.now().getTime();
    const left = Math.min(minted.expiresAt.getTime() - receivedAt, maxTokenLifetimeMs);
    return { minted, receivedAt, freshUntil: receivedAt + left / 2 };
  }
}
