// Who may call what, decided by real proxies.

import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { echoApp } from '../support/apps.ts';
import type { Call, Http2Client } from '../support/http-client.ts';
import { allow, type Manifest, policy, rootNamespace, spiffeId } from '../support/manifests.ts';
import { type AccessRecord, Mesh, type MeshWorkload } from '../support/mesh.ts';
import { until } from '../support/until.ts';

let mesh: Mesh;
let client: MeshWorkload;
let other: MeshWorkload;
/** A connection to the server's proxy with the client's identity, and no proxy in between that would tidy up a path. */
let direct: Http2Client;

const http = { port: 80, targetPort: 8080, appProtocol: 'http', app: echoApp } as const;

beforeAll(async () => {
  mesh = await Mesh.start({
    workloads: { client: {}, 'client-2': { serviceAccount: 'other' }, server: { ports: [http] } },
  });
  client = mesh.workload('client');
  other = mesh.workload('client-2');
});

async function apply(...policies: readonly Manifest[]): Promise<void> {
  await mesh.apply('policies.yaml', ...policies);
}

const denied = (by: string) => `rbac_access_denied_matched_policy[deny:${by}]`;

test('without a policy every member of the mesh is served', async () => {
  expect(await client.echo('server', { path: '/orders/7?full=1' })).toMatchObject({
    app: 'server',
    method: 'GET',
    path: '/orders/7?full=1',
  });
});

test('a caller that the policy names is served, another gets 403 with the name of the policy', async () => {
  await apply(policy('callers', { authorization: [allow(['client'])] }, { app: 'server' }));
  expect((await client.call('server')).status).toBe(200);
  const refusal = await other.call('server');
  expect(refusal.status).toBe(403);
  expect(refusal.headers['x-trellis-denied']).toBe(denied('shop/callers'));
  expect(refusal.headers['content-type']).toBe('application/json');
  expect(JSON.parse(refusal.body)).toEqual({ error: 'denied by the mesh', reason: denied('shop/callers') });
});

test('all policies must allow, and the one that did not is named', async () => {
  await apply(
    policy('a-reads', { authorization: [allow(['*'], [{ methods: ['GET'] }])] }, { app: 'server' }),
    policy('b-callers', { authorization: [allow(['client'])] }, { app: 'server' }),
    policy(
      'mesh',
      { authorization: [allow(['*'], [{ paths: ['/open/**'] }])] },
      { namespace: rootNamespace },
    ),
  );
  const deniedBy = async (who: MeshWorkload, call: Call) =>
    (await who.call('server', call)).headers['x-trellis-denied'];
  expect((await client.call('server', { path: '/open/x' })).status).toBe(200);
  expect(await client.call('server', { path: '/open/x', method: 'POST' })).toMatchObject({ status: 403 });
  expect(await deniedBy(client, { path: '/open/x', method: 'POST' })).toBe(denied('shop/a-reads'));
  expect(await deniedBy(other, { path: '/open/x' })).toBe(denied('shop/b-callers'));
  expect(await deniedBy(client, { path: '/closed' })).toBe(denied('trellis-system/mesh'));
});

test('an empty list of rules allows nobody', async () => {
  await apply(policy('closed', { authorization: [] }, { app: 'server' }));
  const refusal = await client.call('server');
  expect([refusal.status, refusal.headers['x-trellis-denied']]).toEqual([403, denied('shop/closed')]);
});

test('a rule for another port does not open this one', async () => {
  await apply(
    policy('ports', { authorization: [allow(['client'], [{ ports: [9999] }])] }, { app: 'server' }),
  );
  expect((await client.call('server')).status).toBe(403);
  await apply(
    policy('ports', { authorization: [allow(['client'], [{ ports: [8080] }])] }, { app: 'server' }),
  );
  expect((await client.call('server')).status).toBe(200);
});

describe('principals', () => {
  test.each([
    ['*', 200],
    ['spiffe://cluster.local/*', 200],
    ['spiffe://cluster.local/ns/shop/*', 200],
    ['spiffe://cluster.local/ns/shop/sa/client', 200],
    // A prefix ends at a segment, and an exact one is the whole of it.
    ['spiffe://cluster.local/ns/sho/*', 403],
    ['spiffe://cluster.local/ns/shop/sa/clien', 403],
    ['spiffe://cluster.local/ns/shop/sa/client/*', 403],
    ['spiffe://cluster.loca/*', 403],
  ])('%s: %i', async (pattern, status) => {
    await apply(policy('pattern', { authorization: [allow([pattern])] }, { app: 'server' }));
    expect((await client.call('server')).status).toBe(status);
  });
});

describe('methods and paths', () => {
  beforeAll(async () => {
    await apply(
      policy(
        'public',
        {
          authorization: [
            allow(['client'], [{ methods: ['GET', 'HEAD'], paths: ['/public/**', '/v*/status'] }]),
          ],
        },
        { app: 'server' },
      ),
    );
    direct = await mesh.meshClient('server', 8080, await mesh.identity('client'));
  });
  beforeEach(() => {
    if (direct.end !== undefined) throw new Error(`the connection has ended: ${direct.end}`);
  });

  const statusOf = async (call: Call) => (await direct.request('server', call)).status;

  test.each([
    ['GET', '/public', 200],
    ['HEAD', '/public/a/b', 200],
    ['GET', '/public/a?next=/admin', 200],
    ['GET', '/v2/status', 200],
    ['POST', '/public', 403],
    ['get', '/public', 403],
    ['GET', '/publicity', 403],
    ['GET', '/admin', 403],
    ['GET', '/v2/x/status', 403],
    ['GET', '/v2/status/x', 403],
    ['GET', '/', 403],
  ])('%s %s: %i', async (method, path, status) => {
    expect(await statusOf({ method, path })).toBe(status);
  });

  // Each would reach /admin in an application that reads it more kindly than the proxy does.
  test.each([
    ['/public/../admin', 403],
    ['/public/./../admin', 403],
    ['/./admin', 403],
    ['//admin', 403],
    ['/public//../../admin', 403],
    ['/public/%2e%2e/admin', 403],
    ['/public/.%2E/admin', 403],
    ['/public/%2E%2E/%2e%2e/admin', 403],
    ['/public/..\\admin', 403],
    ['/public/..%2fadmin', 400],
    ['/public/%2e%2e%2Fadmin', 400],
    ['/public/..%5cadmin', 400],
    ['/public%2f..%2fadmin', 400],
    ['/public/..;/admin', 403],
    ['/public/%2e%2e;/admin', 403],
    ['/public/%2e%2e;x=1/admin', 403],
    ['/public;/../admin', 403],
    ['/public;/admin', 403],
    ['/admin?/public/x', 403],
    ['/admin?x=/public/**', 403],
    ['/admin#/public/x', 400],
    ['/public#/../admin', 400],
    ['/public%3f/../admin', 403],
    ['/public/%00/../../admin', 400],
    ['/PUBLIC/x', 403],
    ['/Public/x', 403],
    ['/admin/../Public', 403],
  ])('%s is not /public: %i', async (path, status) => {
    const before = mesh.workload('server').apps.get(8080)?.seen.length;
    expect(await statusOf({ path })).toBe(status);
    expect(mesh.workload('server').apps.get(8080)?.seen.length).toBe(before);
  });

  test.each([
    ['/x/../public/a', '/public/a'],
    ['//public//a', '/public/a'],
    ['/%70ublic/a', '/public/a'],
    ['/public//../a', '/public/a'],
    ['/public/?/../admin', '/public/?/../admin'],
  ])('%s is decided and passed on as %s', async (path, seen) => {
    const { status, body } = await direct.request('server', { path });
    expect([status, JSON.parse(body)]).toEqual([200, expect.objectContaining({ path: seen })]);
  });

  test('the Host of a request decides nothing at the callee', async () => {
    for (const authority of ['server', 'admin.internal', 'localhost', '[::1]:80'])
      expect((await direct.request(authority, { path: '/admin' })).status).toBe(403);
  });
});

describe('audit', () => {
  test.each(['audit', 'warn'] as const)(
    '%s lets through what it would deny, and counts it',
    async (enforcement) => {
      const server = mesh.workload('server');
      await apply(
        policy('rehearsal', { enforcement, authorization: [allow(['nobody'])] }, { app: 'server' }),
      );
      const stat = 'http.inbound|8080.rbac.audit.shadow_denied';
      const before = await server.stat(stat);
      expect((await client.call('server', { path: `/${enforcement}` })).status).toBe(200);
      expect((await server.stat(stat)) - before).toBe(1);
      const isIt = (record: AccessRecord) => record['path'] === `/${enforcement}`;
      const record = await until('the access log', () => server.accessLog().find(isIt));
      expect(record).toMatchObject({ code: 200, peer: spiffeId('client'), audit: 'deny:shop/rehearsal' });
    },
  );

  test('beside an enforced policy it changes nothing', async () => {
    await apply(
      policy('rehearsal', { enforcement: 'audit', authorization: [allow(['*'])] }, { app: 'server' }),
      policy('callers', { authorization: [allow(['client'])] }, { app: 'server' }),
    );
    expect((await client.call('server')).status).toBe(200);
    expect((await other.call('server')).headers['x-trellis-denied']).toBe(denied('shop/callers'));
  });
});

describe('headers that speak for the mesh', () => {
  beforeAll(() => apply(policy('callers', { authorization: [allow(['client'])] }, { app: 'server' })));
  const forged = `By=x;Hash=y;URI=${spiffeId('admin')}`;

  test('what a caller puts into x-forwarded-client-cert is replaced by who it is', async () => {
    const names = (header: string | undefined) => header?.match(/URI=[^;,]*/g);
    const headers = { 'x-forwarded-client-cert': forged };
    const { headers: seen } = await client.echo('server', { headers });
    expect(names(seen['x-forwarded-client-cert'])).toEqual([`URI=${spiffeId('client')}`]);
    // The same from a peer whose own proxy removes nothing.
    const peer = await mesh.meshClient('server', 8080, await mesh.identity('client'));
    const { body } = await peer.request('server', { headers });
    expect(names(JSON.parse(body).headers['x-forwarded-client-cert'])).toEqual([`URI=${spiffeId('client')}`]);
  });

  // What reads `_` as `-` (CGI, WSGI) would take the second form for the first.
  test.each([
    'x-trellis-workload',
    'x-trellis-denied',
    'x-trellis-whatever-comes',
    'x_trellis_denied',
    'x-envoy-original-path',
    'x-envoy-peer-metadata',
    'x_envoy_original_path',
    'x-forwarded_client_cert',
    'x_forwarded_client_cert',
    'x-forwarded-client_cert',
  ])('%s of a caller does not reach the application, by either proxy', async (name) => {
    const headers = { [name]: 'forged', 'x-other': 'kept' };
    const peer = await mesh.meshClient('server', 8080, await mesh.identity('client'));
    const { body } = await peer.request('server', { headers });
    for (const seen of [(await client.echo('server', { headers })).headers, JSON.parse(body).headers]) {
      expect(seen).toMatchObject({ 'x-other': 'kept' });
      expect(JSON.stringify(seen)).not.toContain('forged');
    }
  });

  test('no header makes a denied caller an allowed one', async () => {
    const headers = {
      'x-forwarded-client-cert': forged,
      'x-forwarded-for': '127.0.0.1',
      'x-envoy-internal': 'true',
    };
    expect((await other.call('server', { headers })).status).toBe(403);
  });
});
