// An image reference is a place that whoever makes a pod wants us to connect to. None of them is this machine, nor what only machines
// of a cloud can reach, however it is written: unless who runs the webhook says so.

import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { apply, messageOf, podManifest, podSpec } from '../support/admission/pods.ts';
import { makeSigner } from '../support/admission/signer.ts';
import { type AdmissionCluster, startAdmission } from '../support/admission.ts';
import { onEnd } from '../support/cleanup.ts';
import { loopbackAddress } from '../support/ports.ts';

const namespace = 'trading';

let cluster: AdmissionCluster;
let port: number;
/** An address of its own: 127.x.y.z, with the same port. */
let elsewhere: string;
let connections = 0;

beforeAll(async () => {
  elsewhere = loopbackAddress();
  const servers: Server[] = [];
  const listen = async (host: string, at: number): Promise<number> => {
    const server = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    server.listen(at, host);
    await once(server, 'listening');
    servers.push(server);
    const address = server.address();
    return address === null || typeof address === 'string' ? 0 : address.port;
  };
  onEnd(() => {
    for (const server of servers) server.close();
  });
  port = await listen('127.0.0.1', 0);
  await listen(elsewhere, port);
  await listen('::1', port).catch(() => {});
  const ci = await makeSigner();
  cluster = await startAdmission({
    registryAddresses: [],
    plainHttp: [`127.0.0.1:${port}`, `localhost:${port}`, `${elsewhere}:${port}`],
  });
  await cluster.createNamespace(namespace);
  await cluster.applyPolicy(namespace, 'images', {
    images: [{ match: ['**'], authorities: [ci.authority()] }],
  });
});

beforeEach(() => {
  connections = 0;
});

const digest = `sha256:${'a'.repeat(64)}`;

const places: Readonly<Record<string, () => string>> = {
  loopback: () => '127.0.0.1',
  'another address of loopback': () => elsewhere,
  'its name': () => 'localhost',
  'its name in full': () => 'localhost.',
  'in capitals': () => 'LOCALHOST',
  'with an end': () => '127.0.0.1.',
  IPv6: () => '[::1]',
  'IPv6 in full': () => '[0:0:0:0:0:0:0:1]',
  'IPv4 in IPv6': () => '[::ffff:127.0.0.1]',
  'IPv4 in IPv6, in hexadecimal': () => '[::ffff:7f00:1]',
  'IPv4 behind a translator': () => '[64:ff9b::7f00:1]',
  'this network': () => '0.0.0.0',
  'this network, IPv6': () => '[::]',
  short: () => '127.1',
  'a number': () => '2130706433',
  hexadecimal: () => '0x7f.0.0.1',
  'a hexadecimal number': () => '0x7f000001',
  octal: () => '0177.0.0.1',
  'an octal number': () => '017700000001',
};

test.each(Object.entries(places))('this machine: %s', async (name, host) => {
  for (const rest of [`@${digest}`, ':1']) {
    const image = `${host()}:${port}/app${rest}`;
    const answer = await cluster.createPod(namespace, 'pod', podSpec(image));
    expect([403, 503], `${name}: ${messageOf(answer)}`).toContain(answer.status);
    expect(messageOf(answer)).toMatch(/not connected to|is not spoken to|cannot be judged/);
  }
  expect(connections).toBe(0);
});

test.each([
  '169.254.169.254',
  '169.254.170.2',
  // Without a port they would be names of Docker Hub.
  '2852039166:443',
  '0xa9fea9fe:443',
  '0251.0376.0251.0376',
  '169.254.43518',
  '[::ffff:169.254.169.254]',
  '[::ffff:a9fe:a9fe]',
  '[fe80::a9fe:a9fe]',
  '[fd00:ec2::254]',
  '100.100.100.200',
  '168.63.129.16',
])('what only machines of a cloud can reach: %s', async (host) => {
  const answer = await cluster.createPod(namespace, 'pod', podSpec(`${host}/app@${digest}`));
  expect([403, 503], messageOf(answer)).toContain(answer.status);
  expect(messageOf(answer)).toMatch(/not connected to|cannot be judged/);
});

test('and it is said why, and what to do', async () => {
  const image = `127.0.0.1:${port}/app@${digest}`;
  const { status, stderr } = await apply(cluster.kube, podManifest(namespace, 'pod', podSpec(image)));
  expect(status).toBe(1);
  expect(stderr).toContain('because it is an address of this machine');
  expect(stderr).toContain('allow the address by configuration');
});
