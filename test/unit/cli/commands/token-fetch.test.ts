// `trellis token fetch` against an agent's socket.

import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { connectControlPlane } from '../../../../src/agent/connect.ts';
import { serveSocket } from '../../../../src/agent/socket.ts';
import { tokenMethod } from '../../../../src/agent/tokens.ts';
import type { Method } from '../../../../src/grpc/call.ts';
import { GrpcError, status } from '../../../../src/grpc/status.ts';
import { verifyToken } from '../../../../src/identity/tokens/verify.ts';
import { onEnd } from '../../../support/cleanup.ts';
import { TestControlPlane, temporaryDirectory } from '../../../support/control-plane.ts';
import { namespace, spiffeId, trustDomain, workloadManifests } from '../../../support/manifests.ts';
import { obtainIdentity } from '../../../support/mesh-client.ts';
import { expectFailure, trellis } from './support.ts';

const fetch = (socket: string, ...argv: readonly string[]) =>
  trellis('token', 'fetch', '--socket', socket, ...argv);
const audience = ['--audience', spiffeId('server')] as const;

async function serve(...methods: [string, Method][]): Promise<string> {
  const socket = join(await temporaryDirectory(), 'agent.sock');
  const served = await serveSocket(socket, new Map(methods), () => {});
  onEnd(() => served.close());
  return socket;
}

const answering = (handle: () => Promise<Uint8Array>): [string, Method] => [
  '/trellis.identity.v1.WorkloadTokens/FetchToken',
  { kind: 'unary', handle },
];
const refusing = (code: number, message: string) =>
  serve(
    answering(async () => {
      throw new GrpcError(code, message);
    }),
  );

describe('of an agent in a mesh', () => {
  test('prints a token and nothing else; with --json its expiry too', async () => {
    const controlPlane = await TestControlPlane.start({
      manifests: { 'client.yaml': workloadManifests({ name: 'client', address: '10.0.0.1' }) },
    });
    const { agent } = await obtainIdentity(controlPlane, 'client');
    const session = await connectControlPlane({
      address: controlPlane.address,
      trustDomain,
      anchors: agent.anchors,
      credentials: agent,
      now: () => new Date(),
    });
    onEnd(() => session.destroy());
    const workload = { namespace, name: 'client' };
    const socket = await serve(
      tokenMethod({ upstream: () => session, workload: () => workload, now: () => new Date() }),
    );
    const verified = (token: string) => verifyToken(token, agent.tokenKeys, { trustDomain, now: new Date() });

    const plain = await fetch(socket, ...audience);
    expect(plain).toMatchObject({ exitCode: 0, stderr: '' });
    expect(plain.stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    expect(verified(plain.stdout.trim())).toMatchObject({
      type: 'ML-DSA',
      subject: spiffeId('client'),
      audience: spiffeId('server'),
    });

    const json = await fetch(socket, ...audience, '--type', 'jwt-svid', '--json');
    const { token, expiresAt } = JSON.parse(json.stdout) as { token: string; expiresAt: string };
    expect(json.exitCode).toBe(0);
    expect(verified(token)).toMatchObject({
      type: 'JWT-SVID',
      expiresAt: new Date(expiresAt),
    });

    expectFailure(await fetch(socket, '--audience', 'a\nb'), 2, /ERR_TOKEN_AUDIENCE: an audience is/);
  });
});

describe('fails', () => {
  test('without what it is for', async () => {
    expectFailure(await trellis('token', 'fetch'), 2, /required option '--socket <path>' not specified/);
    expectFailure(await fetch('x'), 2, /required option '--audience <name>' not specified/);
    expectFailure(await fetch('x', ...audience, '--type', 'rsa'), 2, /Allowed choices are ml-dsa, jwt-svid/);
  });

  test.each([
    [status.permissionDenied, 1],
    [status.failedPrecondition, 1],
    [status.unauthenticated, 1],
    [status.invalidArgument, 2],
    [status.unavailable, 69],
    [status.resourceExhausted, 69],
    [status.deadlineExceeded, 69],
    [status.internal, 69],
  ])('when the agent answers with status %i: exit code %i', async (code, exitCode) => {
    const socket = await refusing(code, 'this is why');
    expectFailure(await fetch(socket, ...audience), exitCode, /agent\.sock gave no token: this is why/);
  });

  test('at an agent that knows no tokens', async () => {
    expectFailure(
      await fetch(await serve(), ...audience),
      69,
      /gave no token/,
      /is it the socket of a Trellis agent of this version\?/,
    );
  });

  test('at an agent that answers with something else', async () => {
    for (const bytes of [new Uint8Array(), Buffer.from([0xff])]) {
      const socket = await serve(answering(async () => bytes));
      expectFailure(
        await fetch(socket, ...audience),
        69,
        /answered without a token: is it of another version/,
      );
    }
  });

  test('where there is no agent, or none any more', async () => {
    const directory = await temporaryDirectory();
    const hint = /give the --socket of a running trellis agent/;
    expectFailure(await fetch(join(directory, 'none.sock'), ...audience), 69, /no agent serves .*none/, hint);
    const file = join(directory, 'file');
    await writeFile(file, '');
    expectFailure(await fetch(file, ...audience), 69, /no agent serves .*file/, hint);
  });

  test('at something that does not speak gRPC', async () => {
    const path = join(await temporaryDirectory(), 'other.sock');
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    }).listen(path);
    await once(server, 'listening');
    onEnd(() => server.close());
    expectFailure(await fetch(path, ...audience), 69, /gave no token/);
  });
});
