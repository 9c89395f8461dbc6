// Tokens of the workload, on the agent's socket. Each is asked of the control plane, and given out again while at least half of
// its life is left.

import type { ClientHttp2Session } from 'node:http2';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { LRUCache } from 'lru-cache';
import {
  type FetchTokenRequest,
  FetchTokenRequestSchema,
  FetchTokenResponseSchema,
} from '../gen/proto/trellis/identity/v1/identity_pb.ts';
import type { Method } from '../grpc/call.ts';
import { GrpcError, status } from '../grpc/status.ts';
import { IdentityError } from '../identity/errors.ts';
import { maxTokenLifetimeMs } from '../identity/lifetimes.ts';
import { checkAudience, type MintedToken } from '../identity/tokens/token-issuer.ts';
import type { TokenType } from '../identity/tokens/types.ts';
import { tokenTypeFromWire } from '../identity/tokens/wire.ts';
import { AgentError } from './errors.ts';
import { mintWorkloadToken, type WorkloadName } from './identity-client.ts';

export const fetchTokenPath = '/trellis.identity.v1.WorkloadTokens/FetchToken';

/** An audience of 2048 characters has up to 6 KB. */
const maxRequestBytes = 8 * 1024;
/** A workload calls some dozens of others. Full of the longest tokens it holds 4 MiB. */
const maxCachedTokens = 256;
/** One workload's share of what the control plane can mint: each costs it an ML-DSA signature. */
const maxConcurrentMints = 8;

export interface TokenMethodOptions {
  /** The connection to the control plane, while there is one. */
  readonly upstream: () => ClientHttp2Session | undefined;
  /** The workload of this agent, once that is known. */
  readonly workload: () => WorkloadName | undefined;
  readonly now: () => Date;
}

export function tokenMethod(options: TokenMethodOptions): [string, Method] {
  const source = new TokenSource(options);
  const handle = async (bytes: Uint8Array): Promise<Uint8Array> => {
    const { type, audience } = readRequest(bytes);
    const { token, expiresAt } = await source.fetch(type, audience).catch((error: unknown) => {
      throw error instanceof AgentError
        ? new GrpcError(status.internal, error.message, { cause: error })
        : error;
    });
    const response = { token, expiresAt: timestampFromDate(expiresAt) };
    return toBinary(FetchTokenResponseSchema, create(FetchTokenResponseSchema, response));
  };
  return [fetchTokenPath, { kind: 'unary', handle, maxRequestBytes }];
}

interface CachedToken {
  readonly minted: MintedToken;
  /** By the clock of this node. */
  readonly receivedAt: number;
  readonly freshUntil: number;
}

class TokenSource {
  readonly #options: TokenMethodOptions;
  readonly #cache = new LRUCache<string, CachedToken>({ max: maxCachedTokens });
  /** Whoever asks for the same token at the same time waits for the same answer. */
  readonly #pending = new Map<string, Promise<MintedToken>>();

  constructor(options: TokenMethodOptions) {
    this.#options = options;
  }

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

/** @throws GrpcError INVALID_ARGUMENT */
function readRequest(bytes: Uint8Array): { readonly type: TokenType; readonly audience: string } {
  const { type: wireType, audience } = parse(bytes);
  const type = tokenTypeFromWire(wireType);
  if (type === undefined)
    throw new GrpcError(status.invalidArgument, `there is no type of token with the number ${wireType}`);
  try {
    checkAudience(audience);
  } catch (error) {
    throw error instanceof IdentityError
      ? new GrpcError(status.invalidArgument, `${error.code}: ${error.message}`, { cause: error })
      : error;
  }
  return { type, audience };
}

function parse(bytes: Uint8Array): FetchTokenRequest {
  try {
    return fromBinary(FetchTokenRequestSchema, bytes);
  } catch (error) {
    throw new GrpcError(status.invalidArgument, `not a ${FetchTokenRequestSchema.typeName}`, {
      cause: error,
    });
  }
}
