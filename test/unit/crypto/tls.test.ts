// What we issue, and the names of the table, in a real handshake: OpenSSL on both sides of a loopback connection.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type SecureContextOptions, type TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import {
  type IssuingAlgorithm,
  type KeyExchangeGroup,
  keyExchangeGroups,
  meshTls,
  signatureAlgorithms,
} from '../../../src/crypto/algorithms.ts';
import { exportPkcs8, generateSigningKey } from '../../../src/crypto/keys.ts';
import { toPem } from '../../../src/crypto/pem.ts';
import type { Certificate } from '../../../src/crypto/x509/certificate.ts';
import { type Ca, type Leaf, makeIssuingCa, makeLeaf, makeRoot } from './support/fixtures.ts';

// OpenSSL reads the real clock.
const validity = { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 3_600_000) };
const root = makeRoot(validity);
const issuing = makeIssuingCa(root, validity);

interface Outcome {
  readonly server: { readonly authorized: boolean; readonly peerName: string | undefined };
  readonly client: {
    readonly authorized: boolean;
    readonly peerName: string | undefined;
    readonly group: unknown;
  };
}

async function handshake(server: SecureContextOptions, client: SecureContextOptions): Promise<Outcome> {
  const common = { minVersion: meshTls.version, ciphers: meshTls.cipher };
  const accepted = Promise.withResolvers<Outcome['server']>();
  const listener = createServer(
    { ...common, ...server, requestCert: true, rejectUnauthorized: true },
    (socket) => {
      accepted.resolve({
        authorized: socket.authorized,
        peerName: socket.getPeerX509Certificate()?.subjectAltName,
      });
      socket.end();
    },
  );
  listener.on('tlsClientError', accepted.reject);
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const socket: TLSSocket = connect({
    ...common,
    ...client,
    host: '127.0.0.1',
    port,
    checkServerIdentity: () => undefined,
  });
  try {
    await once(socket, 'secureConnect');
    const group = (socket.getEphemeralKeyInfo() as { name?: string }).name;
    const peerName = socket.getPeerX509Certificate()?.subjectAltName;
    return { client: { authorized: socket.authorized, peerName, group }, server: await accepted.promise };
  } finally {
    socket.destroy();
    listener.close();
    accepted.promise.catch(() => {});
  }
}

function credentials(leaf: Leaf, ...chain: Certificate[]): SecureContextOptions {
  return {
    key: toPem('PRIVATE KEY', exportPkcs8(leaf.key)),
    cert: [leaf.certificate, ...chain].map(({ der }) => toPem('CERTIFICATE', der)).join(''),
  };
}

function trusting(ca: Ca, algorithm: IssuingAlgorithm, group: KeyExchangeGroup): SecureContextOptions {
  return {
    ca: toPem('CERTIFICATE', ca.certificate.der),
    sigalgs: signatureAlgorithms[algorithm].tlsName,
    ecdhCurve: keyExchangeGroups[group].tlsName,
  };
}

describe.each(Object.keys(keyExchangeGroups) as KeyExchangeGroup[])('over %s', (group) => {
  test.each(['ML-DSA-65', 'ML-DSA-87'] as const)(
    'SVIDs with %s keys authenticate both sides',
    async (algorithm) => {
      const options = trusting(root, algorithm, group);
      const names = {
        client: 'spiffe://mesh.example/ns/a/sa/client',
        server: 'spiffe://mesh.example/ns/a/sa/server',
      };
      const client = makeLeaf(root, {
        ...validity,
        spiffeId: names.client,
        key: generateSigningKey(algorithm),
      });
      const server = makeLeaf(issuing, {
        ...validity,
        spiffeId: names.server,
        key: generateSigningKey(algorithm),
      });
      const outcome = await handshake(
        { ...options, ...credentials(server, issuing.certificate) },
        { ...options, ...credentials(client) },
      );
      expect(outcome).toEqual({
        client: {
          authorized: true,
          peerName: `URI:${names.server}`,
          group: keyExchangeGroups[group].tlsName,
        },
        server: { authorized: true, peerName: `URI:${names.client}` },
      });
    },
  );
});

test('OpenSSL refuses what we did not issue', async () => {
  const options = trusting(root, 'ML-DSA-65', 'X25519MLKEM768');
  const impostor = makeLeaf(makeRoot(validity), validity);
  const good = credentials(makeLeaf(root, validity));
  await expect(
    handshake({ ...options, ...credentials(impostor) }, { ...options, ...good }),
  ).rejects.toThrow();
  await expect(
    handshake({ ...options, ...good }, { ...options, ...credentials(impostor) }),
  ).rejects.toThrow();
});
