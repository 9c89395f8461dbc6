// Asks an agent for a token, on its socket: for programs of the workload that do not speak gRPC themselves.

import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect as connectSocket, type Socket } from 'node:net';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { timestampDate } from '@bufbuild/protobuf/wkt';
import {
  FetchTokenRequestSchema,
  FetchTokenResponseSchema,
} from '../gen/proto/trellis/identity/v1/identity_pb.ts';
import { unaryCall } from '../grpc/client.ts';
import type { MintedToken } from '../identity/tokens/token-issuer.ts';
import type { TokenType } from '../identity/tokens/types.ts';
import { tokenTypeToWire } from '../identity/tokens/wire.ts';
import { AgentError } from './errors.ts';
import { fetchTokenPath } from './tokens.ts';

/** More than the agent gives the control plane, so that its word on what is wrong arrives. */
const callTimeoutMs = 15_000;

/** @throws GrpcError, AgentError ERR_AGENT_ANSWER, and the system's error when the socket cannot be opened */
export async function fetchToken(
  socketPath: string,
  { type, audience }: { readonly type: TokenType; readonly audience: string },
): Promise<MintedToken> {
  const session = await open(socketPath);
  try {
    const request = create(FetchTokenRequestSchema, { type: tokenTypeToWire(type), audience });
    const bytes = await unaryCall(session, fetchTokenPath, toBinary(FetchTokenRequestSchema, request), {
      timeoutMs: callTimeoutMs,
    });
    return readAnswer(bytes);
  } finally {
    session.destroy();
  }
}

function readAnswer(bytes: Uint8Array): MintedToken {
  const unusable = (cause?: unknown) =>
    new AgentError('ERR_AGENT_ANSWER', 'the agent answered without a token: is it of another version?', {
      cause,
    });
  try {
    const { token, expiresAt } = fromBinary(FetchTokenResponseSchema, bytes);
    if (token === '' || expiresAt === undefined) throw unusable();
    return { token, expiresAt: timestampDate(expiresAt) };
  } catch (error) {
    throw error instanceof AgentError ? error : unusable(error);
  }
}

async function open(path: string): Promise<ClientHttp2Session> {
  const socket = await opened(path);
  const session = connectHttp2('http://agent', { createConnection: () => socket });
  // Calls report what becomes of the connection.
  session.on('error', () => session.destroy());
  return session;
}

function opened(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket(path);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}
