// Tokens of the workload, on the agent's socket. Whoever can open the socket speaks for the workload.

import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import {
  type FetchTokenRequest,
  FetchTokenRequestSchema,
  FetchTokenResponseSchema,
} from '../gen/proto/trellis/identity/v1/identity_pb.ts';
import type { Method } from '../grpc/call.ts';
import { GrpcError, status } from '../grpc/status.ts';
import { IdentityError } from '../identity/errors.ts';
import { checkAudience } from '../identity/tokens/token-issuer.ts';
import type { TokenType } from '../identity/tokens/types.ts';
import { tokenTypeFromWire } from '../identity/tokens/wire.ts';
import { AgentError } from './errors.ts';
import { TokenSource, type TokenSourceOptions } from './token-source.ts';

/** gRPC method on the agent's socket; see proto/trellis/identity. */
export const fetchTokenPath = '/trellis.identity.v1.WorkloadTokens/FetchToken';

/** An audience of 2048 characters has up to 6 KB. */
const maxRequestBytes = 8 * 1024;

/**
 * The gRPC method FetchToken, with its path: FetchTokenRequest to FetchTokenResponse. It fails with INVALID_ARGUMENT for what
 * is no request, RESOURCE_EXHAUSTED and UNAVAILABLE as TokenSource does, INTERNAL where the control plane's answer makes no
 * sense, and otherwise with what the control plane says.
 */
export function tokenMethod(options: TokenSourceOptions): [string, Method] {
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
