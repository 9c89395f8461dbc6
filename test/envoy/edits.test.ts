// Edits of the manifests and connections that are open at the time: what changes reaches them, and none is cut.

import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { echoApp } from '../support/apps.ts';
import { type Http2Client, response } from '../support/http-client.ts';
import {
  allow,
  type Manifest,
  policy,
  rootNamespace,
  spiffeId,
  withEndpoints,
  workloadManifests,
} from '../support/manifests.ts';
import { Mesh, type MeshWorkload } from '../support/mesh.ts';
import { until } from '../support/until.ts';

const http = { port: 80, targetPort: 8080, appProtocol: 'http', app: echoApp } as const;

let mesh: Mesh;
let client: MeshWorkload;
let server: MeshWorkload;

beforeAll(async () => {
  mesh = await Mesh.start({
    workloads: { client: {}, other: { proxy: false }, server: { ports: [http] }, replica: { ports: [http] } },
  });
  client = mesh.workload('client');
  server = mesh.workload('server');
});

afterEach(async () => {
  for (const file of ['rules.yaml', 'incident.yaml']) await mesh.controlPlane.remove(file);
  await mesh.settled();
});

const denied = (by: string) => `rbac_access_denied_matched_policy[deny:${by}]`;

async function outcome(connection: Http2Client): Promise<unknown> {
  const { status, headers } = await connection.request('server');
  return headers['x-trellis-denied'] ?? status;
}

describe('on connections that are open', () => {
  /** Of the application to its proxy, and of two peers to the server's proxy. */
  let fromApplication: Http2Client;
  let fromClient: Http2Client;
  let fromOther: Http2Client;
  let counters: Record<string, number>;

  const counted = async () => ({
    handshakes: await server.stat('listener.inbound.ssl.handshake'),
    serverListeners: await server.stat('listener_manager.listener_modified'),
    clientListeners: await client.stat('listener_manager.listener_modified'),
    drained: await server.stat('http.inbound|8080.downstream_cx_drain_close'),
  });

  beforeAll(async () => {
    fromApplication = client.openHttp2();
    fromClient = await mesh.meshClient('server', 8080, await mesh.identity('client'));
    fromOther = await mesh.meshClient('server', 8080, await mesh.identity('other'));
    for (const connection of [fromApplication, fromClient, fromOther])
      expect(await outcome(connection)).toBe(200);
  });

  beforeEach(async () => {
    counters = await counted();
  });

  /** Demands that it is the same connections as before, on both sides of both proxies. */
  async function expectSameConnections(): Promise<void> {
    expect([fromApplication.end, fromClient.end, fromOther.end]).toEqual([undefined, undefined, undefined]);
    expect(await counted()).toEqual(counters);
  }

  const rules = (...accounts: readonly string[]) =>
    mesh.apply('rules.yaml', policy('rules', { authorization: [allow(accounts)] }, { app: 'server' }));

  test('a policy takes effect, and its change, and its end', async () => {
    await rules('other');
    expect(await outcome(fromApplication)).toBe(denied('shop/rules'));
    expect(await outcome(fromClient)).toBe(denied('shop/rules'));
    expect(await outcome(fromOther)).toBe(200);
    await rules('client');
    expect(await outcome(fromApplication)).toBe(200);
    expect(await outcome(fromClient)).toBe(200);
    expect(await outcome(fromOther)).toBe(denied('shop/rules'));
    await mesh.remove('rules.yaml');
    for (const connection of [fromApplication, fromClient, fromOther])
      expect(await outcome(connection)).toBe(200);
    await expectSameConnections();
  });

  test('quarantine takes effect, whatever else allows, and its end', async () => {
    await rules('client', 'other');
    const quarantine = { quarantine: [spiffeId('client')] };
    await mesh.apply('incident.yaml', policy('incident-7', quarantine, { namespace: rootNamespace }));
    // Its own proxy lets nothing out, and the server's nothing in.
    const { status, body } = await fromApplication.request('server');
    expect([status, JSON.parse(body)]).toMatchObject([
      403,
      { reason: expect.stringMatching(/^deny:trellis-system\/incident-7:quarantine: /) },
    ]);
    expect(await outcome(fromClient)).toBe(denied('trellis-system/incident-7:quarantine'));
    expect(await outcome(fromOther)).toBe(200);
    await mesh.remove('incident.yaml');
    expect(await outcome(fromApplication)).toBe(200);
    expect(await outcome(fromClient)).toBe(200);
    await mesh.remove('rules.yaml');
    await expectSameConnections();
  });

  test('a request that is under way when its caller is denied is answered', async () => {
    const stream = fromClient.open({ ':authority': 'server', ':method': 'POST' });
    stream.write('first part');
    await rules('other');
    expect(await outcome(fromClient)).toBe(denied('shop/rules'));
    stream.end('second part');
    expect((await response(stream))[':status']).toBe(200);
    await mesh.remove('rules.yaml');
    await expectSameConnections();
  });
});

describe('quarantine', () => {
  const quarantine = (...accounts: readonly string[]) =>
    mesh.apply(
      'incident.yaml',
      policy('incident-7', { quarantine: accounts.map(spiffeId) }, { namespace: rootNamespace }),
    );
  const by = 'deny:trellis-system/incident-7:quarantine';

  test('of a workload: it can neither be called nor call', async () => {
    const peer = await mesh.meshClient('server', 8080, await mesh.identity('other'));
    const seen = server.apps.get(8080)?.seen.length;
    await quarantine('server');
    expect((await client.call('server')).status).toBe(503);
    expect(await outcome(peer)).toBe(`rbac_access_denied_matched_policy[${by}]`);
    expect(server.apps.get(8080)?.seen.length).toBe(seen);
    const { status, body } = await server.call('replica');
    expect([status, JSON.parse(body)]).toEqual([
      403,
      expect.objectContaining({ reason: expect.stringContaining(by) }),
    ]);
    await mesh.remove('incident.yaml');
    expect((await client.call('server')).status).toBe(200);
    expect((await server.call('replica')).status).toBe(200);
  });
});

describe('endpoints', () => {
  const at = (...names: readonly string[]): Manifest[] =>
    withEndpoints(
      { name: 'server', address: server.address, ports: [http] },
      names.map((name) => ({ name, address: mesh.workload(name).address })),
    );
  const who = async (connection: Http2Client) => {
    const { status, body } = await connection.request('server');
    return status === 200 ? (JSON.parse(body) as { app: string }).app : status;
  };

  test('requests on an open connection follow them to another pod and back, identities included', async () => {
    const application = client.openHttp2();
    expect(await who(application)).toBe('server');
    await mesh.apply('server.yaml', ...at('replica'));
    expect(await who(application)).toBe('replica');
    await mesh.apply('server.yaml', ...at('server'));
    expect(await who(application)).toBe('server');
    expect(application.end).toBeUndefined();
  });

  test('none left is 503, and none of another Service is tried', async () => {
    const application = client.openHttp2();
    await mesh.apply('server.yaml', ...at());
    expect(await who(application)).toBe(503);
    await mesh.apply('server.yaml', ...at('server', 'replica'));
    const seen = new Set<unknown>();
    await until('both to have answered', async () => seen.add(await who(application)).size === 2);
    expect(seen).toEqual(new Set(['server', 'replica']));
    await mesh.apply('server.yaml', ...at('server'));
  });
});

test('a pod that is gone from the manifests is given nothing any more', async () => {
  const { name, address } = client;
  await mesh.controlPlane.remove('client.yaml');
  const routes = 'http.outbound.rds.outbound|shop.config_reload';
  await until(
    'its listeners to be removed',
    async () => (await client.stat('listener_manager.total_listeners_active')) === 0,
  );
  // Those of the bootstrap are left.
  expect(await client.stat('cluster_manager.active_clusters')).toBe(2);
  const before = await client.stat(routes);
  await mesh.controlPlane.write(
    'another.yaml',
    workloadManifests({ name: 'another', address: '127.9.9.9', ports: [http] }),
  );
  await until(
    'the control plane to have it',
    async () => (await mesh.controlPlane.metric('trellis_source_objects', { kind: 'workload' })) === 4,
  );
  expect(await client.stat(routes)).toBe(before);
  await mesh.controlPlane.write('client.yaml', workloadManifests({ name, address }));
  await until('it to be served again', async () => (await client.call('server')).status === 200);
});
