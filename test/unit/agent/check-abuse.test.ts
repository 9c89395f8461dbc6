// Checks on the agent's socket, while somebody misuses another connection to it: those who behave are still answered, by the
// policy.

import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Authorization } from '../../../src/agent/authorization.ts';
import { serveSocket } from '../../../src/agent/socket.ts';
import {
  CheckRequestSchema,
  CheckResponseSchema,
} from '../../../src/gen/proto/envoy/service/auth/v3/external_auth_pb.ts';
import { WorkloadAuthorizationSchema } from '../../../src/gen/proto/trellis/authz/v1/authorization_pb.ts';
import { unaryCall } from '../../../src/grpc/client.ts';
import { frame } from '../../../src/grpc/framing.ts';
import { GrpcError, status } from '../../../src/grpc/status.ts';
import { checkPath } from '../../../src/xds/agreed-names.ts';
import { temporaryDirectory } from '../../support/control-plane.ts';

const client = 'spiffe://cluster.local/ns/shop/sa/client';

const rules = toBinary(
  WorkloadAuthorizationSchema,
  create(WorkloadAuthorizationSchema, {
    workload: 'spiffe://cluster.local/ns/shop/sa/server',
    requirements: [
      { policy: 'shop/p', rules: [{ principals: [client], condition: "request.method == 'GET'" }] },
    ],
  }),
);

function checkOf(method: string, path = '/'): Uint8Array {
  return toBinary(
    CheckRequestSchema,
    create(CheckRequestSchema, {
      attributes: {
        source: { principal: client },
        contextExtensions: { port: '8080' },
        request: { http: { method, path, host: 'server' } },
      },
    }),
  );
}

interface Decided {
  readonly result: string;
  readonly cause: string;
}

async function start(): Promise<{ path: string; decided: Decided[]; errors: unknown[] }> {
  const path = join(await temporaryDirectory(), 'agent.sock');
  const decided: Decided[] = [];
  const errors: unknown[] = [];
  const authorization = new Authorization({
    trustDomain: 'cluster.local',
    now: () => new Date(),
    onDecision: (result, cause) => decided.push({ result, cause }),
    onError: (error) => errors.push(error),
  });
  authorization.adopt(rules);
  const socket = await serveSocket(path, new Map([authorization.method]), (error) => errors.push(error));
  onTestFinished(() => socket.close());
  return { path, decided, errors };
}

function connection(path: string, initialWindowSize = 65_535): ClientHttp2Session {
  const session = connectHttp2('http://agent', {
    createConnection: () => connectSocket(path),
    settings: { initialWindowSize },
  });
  session.on('error', () => {});
  onTestFinished(() => session.destroy());
  return session;
}

/** gRPC status of the answer's CheckResponse: 0 allowed, 7 denied. */
async function ask(session: ClientHttp2Session, request: Uint8Array): Promise<number> {
  const answer = await unaryCall(session, checkPath, request, { timeoutMs: 10_000 });
  return fromBinary(CheckResponseSchema, answer).status?.code ?? -1;
}

const open = (session: ClientHttp2Session) => {
  const stream = session.request({
    ':method': 'POST',
    ':path': checkPath,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.on('error', () => {});
  return stream;
};

describe('a connection that is misused does not keep others from their answers', () => {
  const abuses: [what: string, abuse: (session: ClientHttp2Session) => Promise<void>, window?: number][] = [
    [
      'streams that never say anything',
      async (session) => {
        for (let i = 0; i < 300; i++) open(session);
      },
    ],
    [
      'checks that stop in the middle',
      async (session) => {
        for (let i = 0; i < 200; i++) open(session).write(frame(checkOf('GET')).subarray(0, 20));
      },
    ],
    [
      'rapid resets',
      async (session) => {
        for (let i = 0; i < 2_000 && !session.destroyed; i++) {
          const stream = open(session);
          stream.write(frame(checkOf('GET')));
          stream.close(constants.NGHTTP2_CANCEL);
        }
      },
    ],
    [
      'answers that nobody reads',
      async (session) => {
        for (let i = 0; i < 200; i++) open(session).end(frame(checkOf('GET')));
      },
      0,
    ],
    [
      'bytes that are no check',
      async (session) => {
        for (let i = 0; i < 50; i++) open(session).end(frame(Buffer.alloc(1000, 255)));
      },
    ],
  ];

  test.each(abuses)('%s', async (_, abuse, window) => {
    const { path, errors } = await start();
    const good = connection(path);
    expect(await ask(good, checkOf('GET'))).toBe(status.ok);
    await abuse(connection(path, window));
    expect(await ask(good, checkOf('GET'))).toBe(status.ok);
    expect(await ask(good, checkOf('PUT'))).toBe(status.permissionDenied);
    expect(await ask(connection(path), checkOf('GET'))).toBe(status.ok);
    expect(errors).toEqual([]);
  });
});

test('the checks of one caller that it cancels do not end those of another on the same connection', async () => {
  const { path } = await start();
  const shared = connection(path);
  for (let round = 0; round < 20; round++) {
    const cancelled = Array.from({ length: 100 }, () => open(shared));
    for (const stream of cancelled) {
      stream.write(frame(checkOf('GET')));
      stream.close(constants.NGHTTP2_CANCEL);
    }
    expect(await ask(shared, checkOf('GET'))).toBe(status.ok);
  }
});

test('a check that is too large or malformed is refused, which Envoy takes for no', async () => {
  const { path, decided } = await start();
  const session = connection(path);
  const code = async (request: Uint8Array) =>
    ask(session, request).catch((error: unknown) => (error instanceof GrpcError ? error.code : error));
  expect(await code(checkOf('GET', `/${'a'.repeat(300 * 1024)}`))).toBe(status.resourceExhausted);
  expect(await code(Buffer.alloc(100, 255))).toBe(status.invalidArgument);
  expect(await code(checkOf('GET'))).toBe(status.ok);
  expect(decided).toContainEqual({ result: 'failed', cause: 'request-malformed' });
});
