// Whom an agent takes for its control plane.

import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import { type AddressInfo, createServer } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connectControlPlane, hostAndPort } from '../../../src/agent/connect.ts';
import { AgentError, type AgentErrorCode } from '../../../src/agent/errors.ts';
import type { TlsCredentials } from '../../../src/identity/mesh-tls.ts';
import { meshTlsOptions } from '../../../src/identity/mesh-tls.ts';
import { counterFlaws, issuedByStranger, signedByThief, strangerRoot } from '../../support/impostors.ts';
import { trustDomain } from '../../support/manifests.ts';

/** To these tests it is the mesh's own. */
const root = strangerRoot();
const anchors = [root.certificate];
const controlPlaneId = `spiffe://${trustDomain}/trellis/control-plane`;

const identity = (
  spiffeId: string,
  times: { notBefore?: number; notAfter?: number } = {},
): TlsCredentials => ({
  ...issuedByStranger(root, { spiffeId, ...times }),
});

async function serve(credentials: TlsCredentials, tls: SecureContextOptions = {}): Promise<number> {
  const server = createSecureServer({
    ...meshTlsOptions(anchors, credentials),
    requestCert: true,
    rejectUnauthorized: false,
    ...tls,
  });
  server.on('session', (session) => session.on('error', () => {}));
  server.on('sessionError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

async function connect(port: number) {
  const session = await connectControlPlane({
    address: { host: '127.0.0.1', port },
    trustDomain,
    anchors,
    credentials: undefined,
    now: () => new Date(),
  });
  onTestFinished(() => session.destroy());
  return session;
}

async function expectRefusal(code: AgentErrorCode, message: RegExp, port: number): Promise<void> {
  const error = await connect(port).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(AgentError);
  expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  expect((error as Error).message).toContain(`127.0.0.1:${port}`);
}

test('the control plane is, and the connection can be used', async () => {
  const session = await connect(await serve(identity(controlPlaneId)));
  expect([session.destroyed, session.closed]).toEqual([false, false]);
  await new Promise<void>((resolve, reject) => {
    session.ping((error) => (error === null ? resolve() : reject(error)));
  });
});

describe('not, although it is genuine,', () => {
  test.each([
    ['a workload', `spiffe://${trustDomain}/ns/shop/sa/server`],
    ['an agent', `spiffe://${trustDomain}/trellis/agent/0123`],
    ['something below the name', `${controlPlaneId}/replica`],
    ['something that begins like the name', `${controlPlaneId}-2`],
  ])('%s', async (_, spiffeId) => {
    const port = await serve(identity(spiffeId));
    await expectRefusal('ERR_AGENT_CONTROL_PLANE_IDENTITY', new RegExp(`it is ${spiffeId}, not`), port);
  });
});

describe('not', () => {
  test('one whose certificate is from another CA', async () => {
    const stranger = issuedByStranger(strangerRoot(), { spiffeId: controlPlaneId });
    await expectRefusal(
      'ERR_AGENT_CONTROL_PLANE_IDENTITY',
      /is not the control plane of cluster.local: .* Check the address, and that the trust anchor file/,
      await serve(stranger),
    );
  });

  test('one with an ML-DSA certificate under an ECDSA root', async () => {
    const classical = issuedByStranger(strangerRoot('ECDSA-P256'), { spiffeId: controlPlaneId });
    await expectRefusal(
      'ERR_AGENT_CONTROL_PLANE_IDENTITY',
      /is not the control plane/,
      await serve(classical),
    );
  });

  test.each([
    ['has expired', { notBefore: -60_000, notAfter: -2000 }, /CERT_HAS_EXPIRED/],
    ['is not valid yet', { notBefore: 60_000 }, /CERT_NOT_YET_VALID/],
  ])('one whose certificate %s', async (_, times, reason) => {
    const port = await serve(identity(controlPlaneId, times));
    await expectRefusal('ERR_AGENT_CONTROL_PLANE_IDENTITY', reason, port);
  });

  test.each(counterFlaws)('one whose counter-signature is %s', async (flaw) => {
    const port = await serve(signedByThief(root, flaw, { spiffeId: controlPlaneId }));
    await expectRefusal('ERR_AGENT_CONTROL_PLANE_IDENTITY', /counter-signature/, port);
  });

  test('one of another trust domain', async () => {
    const foreign = identity('spiffe://elsewhere.local/trellis/control-plane');
    await expectRefusal('ERR_AGENT_CONTROL_PLANE_IDENTITY', /elsewhere.local/, await serve(foreign));
  });

  test('one that offers X25519 alone', async () => {
    const port = await serve(identity(controlPlaneId), { ecdhCurve: 'X25519' });
    await expectRefusal('ERR_AGENT_CONTROL_PLANE', /cannot reach the control plane/, port);
  });

  test('one that has an ECDSA key', async () => {
    const classical = issuedByStranger(root, { spiffeId: controlPlaneId, algorithm: 'ECDSA-P256' });
    const port = await serve(classical, { sigalgs: 'mldsa65:ecdsa_secp256r1_sha256' });
    await expectRefusal('ERR_AGENT_CONTROL_PLANE', /cannot reach the control plane/, port);
  });

  test('one that speaks no TLS', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.end('HTTP/1.1 200 OK\r\n\r\n');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    await expectRefusal('ERR_AGENT_CONTROL_PLANE', /cannot reach/, (server.address() as AddressInfo).port);
  });

  test('one that is not there', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    await expectRefusal('ERR_AGENT_CONTROL_PLANE', /cannot reach.*ECONNREFUSED/, port);
  });
});

test('an IPv6 address is written in brackets', () => {
  expect(hostAndPort({ host: '::1', port: 1 })).toBe('[::1]:1');
  expect(hostAndPort({ host: '127.0.0.1', port: 1 })).toBe('127.0.0.1:1');
});
