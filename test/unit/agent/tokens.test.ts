// The tokens that an agent gives out, with a control plane that mints what it is told to.

import { once } from 'node:events';
import { type ClientHttp2Session, connect, createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { timestampDate, timestampFromDate } from '@bufbuild/protobuf/wkt';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { fetchTokenPath, tokenMethod } from '../../../src/agent/tokens.ts';
import {
  FetchTokenRequestSchema,
  FetchTokenResponseSchema,
  MintWorkloadTokenRequestSchema,
  MintWorkloadTokenResponseSchema,
  TokenType,
} from '../../../src/gen/proto/trellis/identity/v1/identity_pb.ts';
import type { Call } from '../../../src/grpc/call.ts';
import { serveGrpc } from '../../../src/grpc/server.ts';
import { GrpcError, status } from '../../../src/grpc/status.ts';
import { until } from '../../support/until.ts';

const minute = 60_000;
const start = Date.parse('2026-03-01T12:00:00Z');
const workload = { namespace: 'shop', name: 'client' };

type Answer = MessageInitShape<typeof MintWorkloadTokenResponseSchema>;

/** What the control plane was asked for. */
const asked: { type: number; audience: string; workload: string }[] = [];
let mint: () => Promise<Answer>;
let session: ClientHttp2Session;
/** By the clock of the node. */
let clock = start;

beforeAll(async () => {
  const server = createServer();
  const handle = async (bytes: Uint8Array): Promise<Uint8Array> => {
    const request = fromBinary(MintWorkloadTokenRequestSchema, bytes);
    const { namespace, name } = request.workload ?? {};
    asked.push({ type: request.type, audience: request.audience, workload: `${namespace}/${name}` });
    return toBinary(MintWorkloadTokenResponseSchema, create(MintWorkloadTokenResponseSchema, await mint()));
  };
  const grpc = serveGrpc(
    server,
    new Map([['/trellis.identity.v1.Identity/MintWorkloadToken', { kind: 'unary', handle }]]),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  session.on('error', () => {});
  return async () => {
    session.destroy();
    await grpc.close(0);
  };
});

const inFiveMinutes = () => timestampFromDate(new Date(clock + 5 * minute));

beforeEach(() => {
  asked.length = 0;
  clock = start;
  mint = async () => ({ token: `token-${asked.length}`, expiresAt: inFiveMinutes() });
});

function agent(change: Partial<Parameters<typeof tokenMethod>[0]> = {}) {
  const [path, method] = tokenMethod({
    upstream: () => session,
    workload: () => workload,
    now: () => new Date(clock),
    ...change,
  });
  expect(path).toBe('/trellis.identity.v1.WorkloadTokens/FetchToken');
  if (method.kind !== 'unary') throw new Error('not a unary method');
  const raw = async (bytes: Uint8Array) =>
    fromBinary(FetchTokenResponseSchema, await method.handle(bytes, {} as Call));
  const fetch = async (audience = 'server', type: number = TokenType.ML_DSA) => {
    const request = create(FetchTokenRequestSchema, { audience, type: type as TokenType });
    return (await raw(toBinary(FetchTokenRequestSchema, request))).token;
  };
  return { raw, fetch, method };
}

test('asks for a token of its workload, and says when it expires', async () => {
  const { raw } = agent();
  const request = create(FetchTokenRequestSchema, { audience: 'server', type: TokenType.JWT_SVID });
  const { token, expiresAt } = await raw(toBinary(FetchTokenRequestSchema, request));
  expect(asked).toEqual([{ type: TokenType.JWT_SVID, audience: 'server', workload: 'shop/client' }]);
  expect(token).toBe('token-1');
  expect(expiresAt === undefined ? undefined : timestampDate(expiresAt)).toEqual(
    new Date(start + 5 * minute),
  );
  expect(fetchTokenPath).toContain('FetchToken');
});

describe('a token is given out again', () => {
  test('until half of its life is over', async () => {
    const { fetch } = agent();
    expect(await fetch()).toBe('token-1');
    clock = start + 2.5 * minute - 1;
    expect(await fetch()).toBe('token-1');
    clock = start + 2.5 * minute;
    expect(await fetch()).toBe('token-2');
    expect(await fetch()).toBe('token-2');
    expect(asked).toHaveLength(2);
  });

  test('for no other type and no other audience', async () => {
    const { fetch } = agent();
    expect(await fetch('a')).toBe('token-1');
    expect(await fetch('b')).toBe('token-2');
    expect(await fetch('a', TokenType.JWT_SVID)).toBe('token-3');
    expect([await fetch('a'), await fetch('b')]).toEqual(['token-1', 'token-2']);
    // A name that looks like a type and another name.
    expect(await fetch('ML-DSA a')).toBe('token-4');
  });

  test('no longer than its life could be, on a clock that is behind', async () => {
    mint = async () => ({
      token: `token-${asked.length}`,
      expiresAt: timestampFromDate(new Date(start + 65 * minute)),
    });
    const { fetch } = agent();
    expect(await fetch()).toBe('token-1');
    clock = start + 2.5 * minute;
    expect(await fetch()).toBe('token-2');
  });

  test('never on a clock that is ahead', async () => {
    mint = async () => ({
      token: `token-${asked.length}`,
      expiresAt: timestampFromDate(new Date(start - 1)),
    });
    const { fetch } = agent();
    expect([await fetch(), await fetch()]).toEqual(['token-1', 'token-2']);
  });

  test('not after the clock was set back', async () => {
    const { fetch } = agent();
    expect(await fetch()).toBe('token-1');
    clock = start - 1;
    expect(await fetch()).toBe('token-2');
  });

  test('of the 256 that were asked for last', async () => {
    const { fetch } = agent();
    for (let index = 0; index < 257; index++) await fetch(`audience-${index}`);
    expect(await fetch('audience-1')).toBe('token-2');
    expect(await fetch('audience-0')).toBe('token-258');
  });
});

describe('a control plane that takes its time', () => {
  const pending = () => {
    const waiting: (() => void)[] = [];
    mint = async () => {
      await new Promise<void>((resolve) => waiting.push(resolve));
      return { token: 'late', expiresAt: inFiveMinutes() };
    };
    return waiting;
  };

  test('is asked once for what many want at the same time', async () => {
    const waiting = pending();
    const { fetch } = agent();
    const fetches = Array.from({ length: 100 }, () => fetch());
    await until('the call', () => waiting.length === 1);
    for (const release of waiting) release();
    expect(new Set(await Promise.all(fetches))).toEqual(new Set(['late']));
    expect(asked).toHaveLength(1);
  });

  test('is asked for no more than eight tokens at a time', async () => {
    const waiting = pending();
    const { fetch } = agent();
    const fetches = Array.from({ length: 8 }, (_, index) => fetch(`audience-${index}`));
    await until('the calls', () => waiting.length === 8);
    await expect(fetch('another')).rejects.toMatchObject({ code: status.resourceExhausted });
    for (const release of waiting) release();
    expect(await Promise.all(fetches)).toHaveLength(8);
    // There is room again, and what was refused is not remembered.
    mint = async () => ({ token: 'next', expiresAt: inFiveMinutes() });
    expect(await fetch('another')).toBe('next');
  });
});

describe('without', () => {
  test('a connection there are only the tokens that are there', async () => {
    let up = true;
    const { fetch } = agent({ upstream: () => (up ? session : undefined) });
    await fetch();
    up = false;
    expect(await fetch()).toBe('token-1');
    await expect(fetch('another')).rejects.toMatchObject({ code: status.unavailable });
    clock = start + 3 * minute;
    await expect(fetch()).rejects.toMatchObject({ code: status.unavailable });
  });

  test('a workload, before the agent has joined, there are none', async () => {
    const { fetch } = agent({ workload: () => undefined });
    await expect(fetch()).rejects.toMatchObject({ code: status.unavailable });
    expect(asked).toEqual([]);
  });
});

test('a refusal of the control plane is told as it says it, and not remembered', async () => {
  const good = mint;
  mint = async () => {
    throw new GrpcError(status.permissionDenied, 'in quarantine');
  };
  const { fetch } = agent();
  await expect(fetch()).rejects.toMatchObject({ code: status.permissionDenied, message: 'in quarantine' });
  mint = good;
  expect(await fetch()).toBe('token-2');
});

test.each<[string, Answer]>([
  ['without a token', { expiresAt: timestampFromDate(new Date(start)) }],
  ['without an expiry', { token: 'x' }],
  ['with an expiry that is none', { token: 'x', expiresAt: { seconds: 2n ** 62n, nanos: 0 } }],
  [
    'with a token longer than any',
    { token: 'x'.repeat(20_000), expiresAt: timestampFromDate(new Date(start)) },
  ],
])('an answer %s is not handed on', async (_, answer) => {
  mint = async () => answer;
  await expect(agent().fetch()).rejects.toMatchObject({
    code: status.internal,
    message: expect.stringContaining('the answer of the control plane cannot be used'),
  });
});

describe('a request is refused, and nobody is asked,', () => {
  test.each<[string, string, number]>([
    ['for no audience', '', TokenType.ML_DSA],
    ['for an audience with a control character', 'a\nb', TokenType.ML_DSA],
    ['for an audience longer than any', 'a'.repeat(2049), TokenType.ML_DSA],
    ['for no type', 'server', TokenType.UNSPECIFIED],
    ['for a type that there is not', 'server', 3],
  ])('%s', async (_, audience, type) => {
    await expect(agent().fetch(audience, type)).rejects.toMatchObject({ code: status.invalidArgument });
    expect(asked).toEqual([]);
  });

  test('that is another message', async () => {
    await expect(agent().raw(Buffer.from([0xff]))).rejects.toMatchObject({ code: status.invalidArgument });
  });

  test('that is larger than any', () => {
    const { method } = agent();
    const longest = create(FetchTokenRequestSchema, {
      audience: '\u20ac'.repeat(2048),
      type: TokenType.ML_DSA,
    });
    expect(method.maxRequestBytes).toBe(8192);
    expect(toBinary(FetchTokenRequestSchema, longest).length).toBeLessThan(8192);
  });
});
