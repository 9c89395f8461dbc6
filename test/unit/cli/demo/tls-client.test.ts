// The client that the refusal checks rely on: it must tell a refusal from anything else.

import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import { createServer, type Server } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { forgeIdentity } from '../../../../src/cli/demo/forge.ts';
import {
  attempt,
  inboundPort,
  TlsClient,
  type TlsClientOptions,
} from '../../../../src/cli/demo/tls-client.ts';
import { loopbackAddress } from '../../../support/ports.ts';

const spiffeId = 'spiffe://cluster.local/ns/shop/sa/web';
const identity = forgeIdentity({
  spiffeId,
  trustDomain: 'cluster.local',
  ca: 'ML-DSA-65',
  leaf: 'ML-DSA-65',
});
const blocks = identity.certificate.split(/(?<=-----END CERTIFICATE-----\n)/);
const trustBundle = blocks[1] ?? '';

async function serve(server: Server | ReturnType<typeof createSecureServer>): Promise<TlsClientOptions> {
  const address = loopbackAddress();
  server.listen(inboundPort, address);
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { address, port: 8000, trustBundle, identity };
}

function meshServer() {
  const server = createSecureServer({
    key: identity.key,
    cert: identity.certificate,
    ca: trustBundle,
    requestCert: true,
    ecdhCurve: 'X25519MLKEM768',
    sigalgs: 'mldsa65',
    minVersion: 'TLSv1.3',
  });
  server.on('request', (_request, response) => response.writeHead(403).end());
  server.on('sessionError', () => {});
  return server;
}

test('the right client is answered, and sees who answers', async () => {
  expect(await attempt(await serve(meshServer()))).toMatchObject({
    kind: 'answered',
    status: 403,
    peer: { group: 'X25519MLKEM768', uris: [spiffeId], keyType: 'ml-dsa-65', wants: ['id-ml-dsa-65+UNDEF'] },
    // Node's servers give them out.
    ticket: true,
  });
});

test.each<[string, Partial<TlsClientOptions>]>([
  ['another group', { groups: 'X25519' }],
  ['another signature', { signatures: 'ecdsa_secp256r1_sha256' }],
  ['an older version', { version: 'TLSv1.2', groups: 'X25519', signatures: 'ecdsa_secp256r1_sha256' }],
  ['no certificate', { identity: undefined }],
  [
    'a certificate of another CA',
    {
      identity: forgeIdentity({ spiffeId, trustDomain: 'cluster.local', ca: 'ML-DSA-65', leaf: 'ML-DSA-65' }),
    },
  ],
])('refused: %s', async (_what, differs) => {
  const right = await serve(meshServer());
  expect(await attempt({ ...right, ...differs })).toMatchObject({ kind: 'refused' });
});

test('sends what it is told, spelled so, and a header as often as it has values', async () => {
  const server = meshServer();
  server.removeAllListeners('request');
  server.on('request', ({ method, url, rawHeaders }, response) => {
    const desks = rawHeaders.filter((_, index) => rawHeaders[index - 1] === 'x-desk');
    response.writeHead(200, { 'x-trellis-denied': 'a reason' });
    response.end(JSON.stringify({ method, url, desks }));
  });
  const client = await TlsClient.open(await serve(server));
  onTestFinished(() => client.close());
  const path = '//limits/./%66x';
  const { status, headers, body } = await client.exchange('PUT', path, { 'x-desk': ['a', 'b'] });
  expect({ status, reason: headers['x-trellis-denied'] }).toEqual({ status: 200, reason: 'a reason' });
  expect(JSON.parse(body)).toEqual({ method: 'PUT', url: path, desks: ['a', 'b'] });
});

test('an attempt makes the request that it is asked for', async () => {
  const server = meshServer();
  const asked: string[] = [];
  server.on('request', ({ method, url }) => asked.push(`${method} ${url}`));
  const options = await serve(server);
  await attempt(options);
  await attempt(options, { method: 'POST', path: '/orders/1' });
  expect(asked).toEqual(['GET /', 'POST /orders/1']);
});

test('nobody listening is no refusal', async () => {
  const options = { address: loopbackAddress(), port: 8000, trustBundle, identity };
  expect(await attempt(options)).toEqual({ kind: 'failed', reason: 'ECONNREFUSED' });
});

test('a server that hangs up is a refusal', async () => {
  const server = createServer((socket) => socket.destroy());
  expect((await attempt(await serve(server))).kind).toBe('refused');
});
