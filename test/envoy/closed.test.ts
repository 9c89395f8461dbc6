// What policies close: calls out of the mesh, workloads whose policies contradict each other, servers that are not who
// they should be.

import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { echoApp } from '../support/apps.ts';
import { allow, type Manifest, policy, rootNamespace, withEndpoints } from '../support/manifests.ts';
import { Mesh, type MeshWorkload } from '../support/mesh.ts';

const http = { port: 80, targetPort: 8080, appProtocol: 'http', app: echoApp } as const;

let mesh: Mesh;
let client: MeshWorkload;
let server: MeshWorkload;

beforeAll(async () => {
  mesh = await Mesh.start({
    workloads: {
      client: {},
      server: { ports: [http] },
      impostor: { ports: [http] },
      legacy: { ports: [http], meshed: false },
    },
  });
  client = mesh.workload('client');
  server = mesh.workload('server');
});

beforeEach(() => mesh.remove('policies.yaml'));

async function refusal(who: MeshWorkload, authority: string): Promise<string> {
  const { status, body } = await who.call(authority);
  expect(status).toBe(403);
  return (JSON.parse(body) as { reason: string }).reason;
}

const inRoot = { namespace: rootNamespace };

describe('a Service outside the mesh', () => {
  const host = 'legacy.shop.svc.cluster.local';
  const reached = () => mesh.workload('legacy').apps.get(8080)?.seen.length;

  test('is refused where no policy says anything', async () => {
    const before = reached();
    expect(await refusal(client, 'legacy')).toBe(
      `deny:mesh-default:postQuantumEncryption: ${host} is not part of the mesh`,
    );
    expect(reached()).toBe(before);
  });

  test('is refused by every policy that requires encryption, and all are named', async () => {
    await mesh.apply(
      'policies.yaml',
      policy('strict', { postQuantumEncryption: 'required' }),
      policy('mesh', { postQuantumEncryption: 'required' }, inRoot),
      policy('lax', { postQuantumEncryption: 'preferred' }),
    );
    expect(await refusal(client, 'legacy')).toBe(
      `deny:shop/strict+trellis-system/mesh:postQuantumEncryption: ${host} is not part of the mesh`,
    );
  });

  test('is reached in plaintext where encryption is preferred', async () => {
    await mesh.apply('policies.yaml', policy('mesh', { postQuantumEncryption: 'preferred' }, inRoot));
    expect(await client.echo('legacy')).toMatchObject({ app: 'legacy' });
    // And what is in the mesh is still reached through it.
    expect((await client.echo('server')).headers).toHaveProperty('x-forwarded-client-cert');
  });

  test('is reached by an exception, and nothing else is', async () => {
    const exception = { host, postQuantumEncryption: 'preferred', reason: 'moves next week' } as const;
    await mesh.apply(
      'policies.yaml',
      policy('mesh', { postQuantumEncryption: 'required', exceptions: [exception] }, inRoot),
    );
    expect(await client.echo('legacy')).toMatchObject({ app: 'legacy' });
    const other = { ...exception, host: 'elsewhere.shop.svc.cluster.local' };
    await mesh.apply(
      'policies.yaml',
      policy('mesh', { postQuantumEncryption: 'required', exceptions: [other] }, inRoot),
    );
    expect((await client.call('legacy')).status).toBe(403);
  });

  test.each(['shop/strict', 'trellis-system/mesh'])(
    'is not reached by an exception that %s does not make',
    async (withoutException) => {
      const exceptions = [{ host, postQuantumEncryption: 'preferred', reason: 'moves next week' } as const];
      const required = (name: string) => ({
        postQuantumEncryption: 'required' as const,
        ...(name === withoutException ? {} : { exceptions }),
      });
      await mesh.apply(
        'policies.yaml',
        policy('strict', required('shop/strict')),
        policy('mesh', required('trellis-system/mesh'), inRoot),
      );
      expect((await client.call('legacy')).status).toBe(403);
    },
  );

  test('no header leads around a refusal', async () => {
    const headers = { 'x-forwarded-host': 'server', 'x-envoy-original-dst-host': `${server.address}:8080` };
    expect((await client.call('legacy', { headers })).status).toBe(403);
    expect((await client.call('legacy:80', { headers })).status).toBe(403);
    expect((await client.call('LEGACY', { headers })).status).toBe(403);
    expect((await client.call(`${host}.`, { headers })).status).toBe(403);
  });
});

test('a host that is no Service of the mesh is reached by nobody', async () => {
  await mesh.apply('policies.yaml', policy('mesh', { postQuantumEncryption: 'preferred' }, inRoot));
  for (const authority of [
    'elsewhere',
    'example.com',
    `${server.address}:8080`,
    'server:9999',
    '127.0.0.1:8080',
  ]) {
    expect((await client.call(authority)).status).toBe(502);
    expect((await client.tunnel(authority.includes(':') ? authority : `${authority}:443`)).status).toBe(502);
  }
});

describe('a workload whose policies cannot be kept neither takes calls nor makes any', () => {
  const cases: [what: string, name: string, policies: readonly Manifest[]][] = [
    [
      'two profiles have nothing in common',
      'deny:shop/cnsa:complianceLevel-conflict',
      [
        policy('bsi', { complianceLevel: 'BSI-TR-02102' }, inRoot),
        policy('cnsa', { complianceLevel: 'CNSA-2.0' }, { app: 'server' }),
      ],
    ],
  ];
  test.each(cases)('%s', async (_, name, policies) => {
    const svid = await mesh.identity('client');
    const open = await mesh.meshClient('server', 8080, svid);
    const before = server.apps.get(8080)?.seen.length;
    // No other policy opens it again.
    await mesh.apply('policies.yaml', ...policies, policy('all', { authorization: [allow(['*'])] }));
    const denied = `rbac_access_denied_matched_policy[${name}]`;
    expect((await client.call('server')).headers['x-trellis-denied']).toBe(denied);
    expect(await open.request('server')).toMatchObject({ status: 403 });
    expect(server.apps.get(8080)?.seen.length).toBe(before);
    expect(await refusal(server, 'impostor')).toContain(`${name}: `);
    expect(await refusal(server, 'legacy')).toContain(`${name}: `);
    expect((await server.tunnel('impostor:80')).status).toBe(403);
    // Others are as they were.
    expect((await client.call('impostor')).status).toBe(200);
  });
});

describe('a server is believed only as who it should be', () => {
  const moved = (...to: readonly MeshWorkload[]): Manifest[] =>
    withEndpoints(
      { name: 'server', address: server.address, ports: [http] },
      // The pods of `server`, at the addresses of others.
      to.map(({ address }) => ({ name: 'server', address })),
    );

  test('another member of the mesh that answers at its address is refused before it gets a request', async () => {
    const impostor = mesh.workload('impostor');
    await mesh.apply('server.yaml', ...moved(impostor));
    const stat = 'cluster.outbound|80|server.shop.svc.cluster.local.ssl.fail_verify_san';
    const [failures, seen] = [await client.stat(stat), impostor.apps.get(8080)?.seen.length];
    expect((await client.call('server')).status).toBe(503);
    expect(await client.stat(stat)).toBeGreaterThan(failures);
    expect(impostor.apps.get(8080)?.seen.length).toBe(seen);
    // It is its name that is wrong, not its identity.
    expect(await client.echo('impostor')).toMatchObject({ app: 'impostor' });
    await mesh.apply('server.yaml', ...moved(server));
    expect(await client.echo('server')).toMatchObject({ app: 'server' });
  });
});

describe('a workload that a policy takes out of the mesh', () => {
  test('has nothing to serve, and counts as outside for its callers', async () => {
    await mesh.controlPlane.write('policies.yaml', [
      policy('old', { postQuantumEncryption: 'disabled' }, { app: 'impostor' }),
    ]);
    await mesh.workload('impostor').stopEnvoy();
    await mesh.settled();
    expect(await refusal(client, 'impostor')).toContain('is not part of the mesh');
  });
});
