// Who gets through the TLS handshake of a real proxy, and who does not. Every refusal is that of a client which differs
// from a good one in one respect, and shows in the proxy's own statistics.

import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { beforeAll, describe, expect, test } from 'vitest';
import type { HeldSvid } from '../../src/agent/identity-client.ts';
import type { CertificateAuthority } from '../../src/identity/ca.ts';
import type { TlsCredentials } from '../../src/identity/mesh-tls.ts';
import { echoApp } from '../support/apps.ts';
import { Http2Client } from '../support/http-client.ts';
import { issuedByMesh, issuedByStranger, strangerRoot } from '../support/impostors.ts';
import { allow, policy, spiffeId } from '../support/manifests.ts';
import { Mesh, type MeshWorkload } from '../support/mesh.ts';
import {
  type Attempt,
  attempt,
  inboundPort,
  type MeshClientOptions,
  meshHandshake,
  obtainIdentity,
} from '../support/mesh-client.ts';

let mesh: Mesh;
let server: MeshWorkload;
let svid: HeldSvid;
let ca: CertificateAuthority;

beforeAll(async () => {
  mesh = await Mesh.start({
    workloads: {
      client: { proxy: false },
      server: { ports: [{ port: 80, targetPort: 8080, appProtocol: 'http', app: echoApp }] },
    },
  });
  server = mesh.workload('server');
  svid = await mesh.identity('client');
  ca = await mesh.controlPlane.ca();
});

/** Tries as the client, but for what is unusual. */
function tryAs(
  credentials: TlsCredentials | undefined,
  tls: MeshClientOptions['tls'] = {},
): Promise<Attempt> {
  return attempt({ ...mesh.target('server', 8080, undefined), credentials, tls });
}

/** What the listener counted while `action` ran. */
async function counted(stat: string, action: () => Promise<unknown>): Promise<number> {
  const name = `listener.inbound.${stat}`;
  const before = await server.stat(name);
  await action();
  return (await server.stat(name)) - before;
}

const client = spiffeId('client');
const classicalCurves = 'X25519:P-256';

test('a member of the mesh gets through: ML-KEM key exchange, ML-DSA signature', async () => {
  const before = await server.envoy.stats('listener.inbound.ssl');
  expect(await tryAs(svid)).toEqual({ kind: 'answered', status: 200, denied: '' });
  const after = await server.envoy.stats('listener.inbound.ssl');
  const grown = Object.keys(after).filter((name) => after[name] !== before[name]);
  expect(grown.map((name) => name.replace('listener.inbound.ssl.', ''))).toEqual(
    expect.arrayContaining(['curves.X25519MLKEM768', 'sigalgs.mldsa65', 'versions.TLSv1.3', 'handshake']),
  );
});

test('a client that would rather have a classical group gets the hybrid one', async () => {
  const options = mesh.target('server', 8080, svid);
  const socket = await meshHandshake({ ...options, tls: { ecdhCurve: `${classicalCurves}:X25519MLKEM768` } });
  expect(socket.getEphemeralKeyInfo()).toMatchObject({ name: 'X25519MLKEM768' });
  socket.destroy();
});

describe('refused is a client that', () => {
  const strangers = { 'ML-DSA-65': strangerRoot(), 'ECDSA-P256': strangerRoot('ECDSA-P256') };
  test.each<
    [
      what: string,
      stat: string,
      credentials: () => TlsCredentials | undefined,
      tls?: MeshClientOptions['tls'],
    ]
  >([
    ['shows no certificate', 'ssl.fail_verify_no_cert', () => undefined],
    [
      // OpenSSL sends none at all to a server that lists no algorithm it could sign with.
      'has an ECDSA key',
      'ssl.fail_verify_no_cert',
      () => issuedByMesh(ca, { spiffeId: client, algorithm: 'ECDSA-P256' }),
      { sigalgs: 'mldsa65:ecdsa_secp256r1_sha256' },
    ],
    [
      'has its identity from another CA',
      'ssl.fail_verify_error',
      () => issuedByStranger(strangers['ML-DSA-65'], { spiffeId: client }),
    ],
    [
      'has an ML-DSA certificate under an ECDSA root',
      'ssl.fail_verify_error',
      () => issuedByStranger(strangers['ECDSA-P256'], { spiffeId: client }),
    ],
    [
      'has an SVID that has expired',
      'ssl.fail_verify_error',
      () => issuedByMesh(ca, { spiffeId: client, notBefore: -60_000, notAfter: -2000 }),
    ],
    [
      'has an SVID that is not valid yet',
      'ssl.fail_verify_error',
      () => issuedByMesh(ca, { spiffeId: client, notBefore: 60_000 }),
    ],
    [
      'is of another trust domain',
      'ssl.fail_verify_error',
      () => issuedByMesh(ca, { spiffeId: 'spiffe://elsewhere.local/ns/shop/sa/client' }),
    ],
    ['offers X25519 alone', 'ssl.connection_error', () => svid, { ecdhCurve: 'X25519' }],
    ['offers MLKEM1024 alone', 'ssl.connection_error', () => svid, { ecdhCurve: 'MLKEM1024' }],
    [
      'does not accept ML-DSA signatures',
      'ssl.connection_error',
      () => svid,
      { sigalgs: 'ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256' },
    ],
    [
      'speaks TLS 1.2',
      'ssl.connection_error',
      () => svid,
      {
        minVersion: 'TLSv1.2',
        maxVersion: 'TLSv1.2',
        ciphers: 'DEFAULT',
        ecdhCurve: classicalCurves,
        sigalgs: 'mldsa65:ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256',
      },
    ],
    ['names no server', 'no_filter_chain_match', () => svid, { servername: '' }],
    [
      'names a port that the workload does not have',
      'no_filter_chain_match',
      () => svid,
      { servername: 'port-9999.mesh.trellis.internal' },
    ],
    ['names the workload by its host', 'no_filter_chain_match', () => svid, { servername: 'server.shop' }],
  ])('%s (%s)', async (_, stat, credentials, tls) => {
    const before = server.apps.get(8080)?.seen.length;
    const grown = await counted(stat, async () => {
      expect(await tryAs(credentials(), tls)).toMatchObject({ kind: 'refused' });
    });
    expect(grown).toBe(1);
    expect(server.apps.get(8080)?.seen.length).toBe(before);
    // The same code gets through with what is right.
    expect(await tryAs(svid)).toMatchObject({ kind: 'answered', status: 200 });
  });

  test.each([
    ['HTTP/1.1', 'GET / HTTP/1.1\r\nHost: server\r\n\r\n'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0'],
  ])('speaks plaintext %s', async (_, bytes) => {
    const grown = await counted('no_filter_chain_match', async () => {
      const socket = connectTcp(inboundPort, server.address);
      const received: Buffer[] = [];
      socket.on('data', (chunk: Buffer) => received.push(chunk));
      socket.on('error', () => {});
      socket.write(bytes);
      await new Promise((resolve) => socket.once('close', resolve));
      expect(Buffer.concat(received)).toHaveLength(0);
    });
    expect(grown).toBe(1);
  });
});

describe('sessions are never resumed', () => {
  /** A connection that has got an answer, and with it every ticket there is. */
  async function used(session?: Buffer): Promise<{ socket: TLSSocket; tickets: Buffer[] }> {
    const tickets: Buffer[] = [];
    const tls = session === undefined ? {} : { session };
    const socket = await meshHandshake({ ...mesh.target('server', 8080, svid), tls });
    socket.on('session', (ticket) => tickets.push(ticket));
    const http2 = new Http2Client(connectHttp2('https://mesh', { createConnection: () => socket }));
    expect((await http2.request('server')).status).toBe(200);
    return { socket, tickets };
  }

  test('by a proxy', async () => {
    const first = await used();
    expect(first.tickets).toEqual([]);
    const again = await used(first.socket.getSession());
    expect(again.socket.isSessionReused()).toBe(false);
    expect(again.socket.getPeerX509Certificate()?.subjectAltName).toBe(`URI:${spiffeId('server')}`);
  });
});

describe('where authentication is optional', () => {
  beforeAll(async () => {
    await mesh.apply(
      'optional.yaml',
      policy('optional', { quantumAuthentication: 'optional' }, { app: 'server' }),
    );
  });
  const rules = (...principals: string[]) =>
    mesh.apply('rules.yaml', policy('rules', { authorization: [allow(principals)] }, { app: 'server' }));

  test('a caller without a certificate is served, and the application is told of none', async () => {
    const anonymous = await mesh.meshClient('server', 8080, undefined);
    const forged = { 'x-forwarded-client-cert': `By=x;URI=${client}` };
    const { status, body } = await anonymous.request('server', { headers: forged });
    expect(status).toBe(200);
    expect(JSON.parse(body).headers).not.toHaveProperty('x-forwarded-client-cert');
  });

  test('a certificate that is shown must still verify', async () => {
    for (const impostor of [
      issuedByStranger(strangerRoot(), { spiffeId: client }),
      issuedByMesh(ca, { spiffeId: client, notBefore: -60_000, notAfter: -2000 }),
    ]) {
      const grown = await counted('ssl.fail_verify_error', async () => {
        expect(await tryAs(impostor)).toMatchObject({ kind: 'refused' });
      });
      expect(grown).toBe(1);
    }
  });

  test('plain and classical TLS stay refused', async () => {
    expect(await tryAs(undefined, { ecdhCurve: 'X25519' })).toMatchObject({ kind: 'refused' });
    expect(await tryAs(undefined, { sigalgs: 'ecdsa_secp256r1_sha256' })).toMatchObject({ kind: 'refused' });
  });

  test.each(['*', 'spiffe://cluster.local/*', client])(
    'a rule for %s denies a caller without a certificate',
    async (principal) => {
      await rules(principal);
      const by = 'rbac_access_denied_matched_policy[deny:shop/rules]';
      expect(await tryAs(undefined)).toEqual({ kind: 'answered', status: 403, denied: by });
      expect(await tryAs(svid)).toEqual({ kind: 'answered', status: 200, denied: '' });
    },
  );

  test('a policy that demands certificates reaches connections that are open without one', async () => {
    const anonymous = await mesh.meshClient('server', 8080, undefined);
    await rules('*');
    await mesh.remove('rules.yaml');
    expect((await anonymous.request('server')).status).toBe(200);
    await mesh.apply('strict.yaml', policy('strict', { quantumAuthentication: 'enabled' }));
    expect((await anonymous.request('server')).headers['x-trellis-denied']).toBe(
      'rbac_access_denied_matched_policy[deny:shop/strict:quantumAuthentication]',
    );
    expect(await tryAs(undefined)).toMatchObject({ kind: 'refused' });
    expect(await tryAs(svid)).toMatchObject({ kind: 'answered', status: 200 });
    await mesh.remove('strict.yaml');
  });
});

describe("the identity of one of Trellis' own parts is no workload's", () => {
  test.each(['enabled', 'optional'] as const)('where authentication is %s', async (quantumAuthentication) => {
    await mesh.apply('optional.yaml', policy('peers', { quantumAuthentication }, { app: 'server' }));
    const { agent } = await obtainIdentity(mesh.controlPlane, 'client');
    expect(await tryAs(agent)).toEqual({
      kind: 'answered',
      status: 403,
      denied: 'rbac_access_denied_matched_policy[deny:shop/peers:quantumAuthentication]',
    });
  });
});
