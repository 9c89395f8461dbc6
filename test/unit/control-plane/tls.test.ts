// The TLS listener of the control plane: what it takes part in, and what not.

import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { unaryCall } from '../../../src/grpc/client.ts';
import { status } from '../../../src/grpc/status.ts';
import { meshTlsOptions } from '../../../src/identity/mesh-tls.ts';
import { TestControlPlane } from '../../support/control-plane.ts';
import { trustDomain, workloadManifests } from '../../support/manifests.ts';
import { obtainIdentity } from '../../support/mesh-client.ts';

let controlPlane: TestControlPlane;
let options: ConnectionOptions;

beforeAll(async () => {
  controlPlane = await TestControlPlane.start({
    manifests: { 'client.yaml': workloadManifests({ name: 'client', address: '10.0.0.1' }) },
  });
  const { agent } = await obtainIdentity(controlPlane, 'client');
  options = {
    ...meshTlsOptions(agent.anchors, agent),
    host: controlPlane.address.host,
    port: controlPlane.address.port,
    ALPNProtocols: ['h2'],
    checkServerIdentity: () => undefined,
  };
});

async function handshake(change: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ ...options, ...change });
  onTestFinished(() => void socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

/** The status of a call that this agent may make, on its connection. */
async function codeOfCall(socket: TLSSocket): Promise<unknown> {
  const session = connectHttp2('https://control-plane', { createConnection: () => socket });
  session.on('error', () => {});
  onTestFinished(() => session.destroy());
  // Empty, so that it is refused for what it says, not for who says it.
  const path = '/trellis.identity.v1.Identity/RenewAgent';
  const error = await unaryCall(session, path, new Uint8Array(), { timeoutMs: 5000 }).catch(
    (thrown: unknown) => thrown,
  );
  return (error as { code?: unknown }).code;
}

test('an agent gets through, over ML-KEM, to the control plane', async () => {
  const socket = await handshake();
  expect(socket.getProtocol()).toBe('TLSv1.3');
  expect(socket.getEphemeralKeyInfo()).toMatchObject({ name: 'X25519MLKEM768' });
  expect(socket.getPeerX509Certificate()?.subjectAltName).toBe(
    `URI:spiffe://${trustDomain}/trellis/control-plane`,
  );
  expect(socket.getPeerX509Certificate()?.publicKey.asymmetricKeyType).toBe('ml-dsa-65');
  expect(await codeOfCall(socket)).toBe(status.invalidArgument);
});

test('a client that would rather have a classical group gets the hybrid one', async () => {
  const socket = await handshake({ ecdhCurve: 'X25519:P-256:X25519MLKEM768' });
  expect(socket.getEphemeralKeyInfo()).toMatchObject({ name: 'X25519MLKEM768' });
});

describe('refused in the handshake is a client that', () => {
  test.each<[string, ConnectionOptions]>([
    ['offers X25519 alone', { ecdhCurve: 'X25519' }],
    ['offers P-256 alone', { ecdhCurve: 'P-256' }],
    ['offers MLKEM1024 alone', { ecdhCurve: 'MLKEM1024' }],
    ['accepts ECDSA signatures alone', { sigalgs: 'ecdsa_secp256r1_sha256' }],
    [
      'speaks TLS 1.2',
      {
        minVersion: 'TLSv1.2',
        maxVersion: 'TLSv1.2',
        ciphers: 'DEFAULT',
        ecdhCurve: 'X25519:P-256',
        sigalgs: 'mldsa65:ecdsa_secp256r1_sha256',
      },
    ],
  ])('%s', async (_, change) => {
    // The alert comes from the other end: it was asked, and said no.
    await expect(handshake(change)).rejects.toMatchObject({
      code: expect.stringMatching(/ALERT|ECONNRESET/),
    });
    await handshake();
  });

  test('speaks plaintext', async () => {
    const socket = connectTcp(controlPlane.address);
    const received: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => received.push(chunk));
    socket.on('error', () => {});
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0');
    await new Promise((resolve) => socket.once('close', resolve));
    // At most a TLS alert.
    expect(Buffer.concat(received).length).toBeLessThanOrEqual(7);
  });
});

test('no session is resumed: certificates are looked at each time', async () => {
  const first = await handshake();
  const tickets: Buffer[] = [];
  first.on('session', (ticket) => tickets.push(ticket));
  expect(await codeOfCall(first)).toBe(status.invalidArgument);
  for (const session of [first.getSession(), ...tickets]) {
    const again = await handshake(session === undefined ? {} : { session });
    expect(again.isSessionReused()).toBe(false);
    expect(again.authorized).toBe(true);
    expect(await codeOfCall(again)).toBe(status.invalidArgument);
  }
});
