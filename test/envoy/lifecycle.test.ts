// Parts that come and go while requests flow: certificates, the control plane, agents.

import { once } from 'node:events';
import { createServer } from 'node:net';
import { beforeAll, describe, expect, test } from 'vitest';
import { echoApp } from '../support/apps.ts';
import { onEnd } from '../support/cleanup.ts';
import { allow, policy } from '../support/manifests.ts';
import { Mesh, type MeshWorkload } from '../support/mesh.ts';
import { attempt, inboundPort, meshHandshake } from '../support/mesh-client.ts';
import { Traffic } from '../support/traffic.ts';
import { until } from '../support/until.ts';

const http = { port: 80, targetPort: 8080, appProtocol: 'http', app: echoApp } as const;
/** The shortest that an SVID may live. */
const svidLifetimeMs = 10_000;

let mesh: Mesh;
let client: MeshWorkload;
let server: MeshWorkload;

beforeAll(async () => {
  mesh = await Mesh.start({
    svidLifetimeMs,
    workloads: { client: {}, server: { ports: [http] }, late: { ports: [http], proxy: false } },
  });
  client = mesh.workload('client');
  server = mesh.workload('server');
});

/** On connections that the proxies keep, and on a connection of its own for each request. */
function startTraffic(): Traffic {
  const application = client.openHttp2();
  return new Traffic(async () => {
    const kept = await application.request('server');
    if (kept.status !== 200) return `${kept.status} ${kept.body}`;
    const fresh = await client.call('server');
    return fresh.status === 200 ? undefined : `${fresh.status} ${fresh.body}`;
  });
}

const svidsOf = (workload: MeshWorkload) =>
  workload.log.lines().filter(({ msg }) => msg === 'a new SVID for the workload').length;

async function serverSerial(): Promise<string | undefined> {
  const socket = await meshHandshake(mesh.target('server', 8080, undefined));
  const serial = socket.getPeerX509Certificate()?.serialNumber;
  socket.destroy();
  return serial;
}

test('SVIDs of both sides are renewed under traffic, and no request fails', async () => {
  const traffic = startTraffic();
  await traffic.flows();
  const [serial, before] = [await serverSerial(), [client, server].map(svidsOf)];
  await until('both to have renewed', () =>
    [client, server].every((workload, index) => svidsOf(workload) > (before[index] ?? 0)),
  );
  await until('the new certificate to be served', async () => (await serverSerial()) !== serial);
  await traffic.flows(100);
  await traffic.stop();
  expect(traffic.failures).toEqual([]);
});

test('the control plane is restarted under traffic: no request fails, and edits meanwhile take effect', async () => {
  const traffic = startTraffic();
  await traffic.flows();
  await mesh.controlPlane.stop();
  await mesh.controlPlane.write('rules.yaml', [
    policy('rules', { authorization: [allow(['client'], [{ methods: ['GET'] }])] }, { app: 'server' }),
  ]);
  await traffic.flows();
  expect((await client.call('server', { method: 'POST' })).status).toBe(200);
  await mesh.controlPlane.start();
  await until(
    'the edit to take effect',
    async () => (await client.call('server', { method: 'POST' })).status === 403,
  );
  await traffic.flows();
  await traffic.stop();
  expect(traffic.failures).toEqual([]);
  await mesh.remove('rules.yaml');
});

describe('an agent that is gone', () => {
  test('leaves its proxy serving until its SVID ends, then nobody talks to it, until there is an agent again', async () => {
    const traffic = startTraffic();
    await traffic.flows();
    await server.stopAgent();
    await traffic.flows();
    await traffic.stop();
    expect(traffic.failures).toEqual([]);

    const svid = await mesh.identity('client');
    const refused = 'cluster.outbound|80|server.shop.svc.cluster.local.ssl.fail_verify_error';
    const before = await client.stat(refused);
    await until(
      'the SVID to end',
      async () => (await client.stat(refused)) > before || (await client.call('server')).status === 503,
    );
    expect((await client.call('server')).status).toBe(503);
    // It is the server's certificate that is refused; the proxy itself still runs.
    await expect(attempt(mesh.target('server', 8080, svid))).rejects.toMatchObject({
      code: 'CERT_HAS_EXPIRED',
    });
    expect((await server.envoy.adminGet('/ready')).status).toBe(200);

    await server.startAgent();
    await until('it to be served again', async () => (await client.call('server')).status === 200);
  });

  test('a proxy that starts without one serves nothing at all', async () => {
    const late = mesh.workload('late');
    await late.startEnvoy();
    await until('Envoy to run', async () => (await late.envoy.adminGet('/server_info')).status === 200);
    await expect(meshHandshake(mesh.target('late', 8080, undefined))).rejects.toThrow('ECONNREFUSED');
    await expect(late.call('server')).rejects.toThrow('ECONNREFUSED');
    await late.startAgent();
    await until('it to serve', async () => (await client.call('late')).status === 200);
    await late.stopEnvoy();
    await late.stopAgent();
  });
});

test('what a proxy refuses is counted and logged by the control plane, with the reason', async () => {
  const late = mesh.workload('late');
  const squatter = createServer().listen(inboundPort, late.address);
  await once(squatter, 'listening');
  onEnd(() => squatter.close());
  await late.startAgent();
  await late.startEnvoy();
  await until(
    'the refusal',
    async () => (await mesh.controlPlane.metric('trellis_xds_rejections_total', { type: 'listener' })) > 0,
  );
  expect(mesh.controlPlane.log.lines()).toContainEqual(
    expect.objectContaining({
      level: 50,
      workload: 'shop/late',
      type: 'listener',
      names: expect.arrayContaining(['inbound']),
      reason: expect.stringMatching(/inbound.*cannot bind|Address already in use/),
    }),
  );
  // The rest of its configuration is in force all the same.
  await until('its outbound side', async () => (await late.call('server')).status === 200);
});
