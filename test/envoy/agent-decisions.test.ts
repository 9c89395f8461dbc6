// What Envoy asks the agent for: conditions and tokens.

import { beforeAll, describe, expect, test } from 'vitest';
import { fetchToken } from '../../src/agent/token-client.ts';
import type { TokenType } from '../../src/identity/tokens/types.ts';
import { echoApp } from '../support/apps.ts';
import type { Call, Http2Client } from '../support/http-client.ts';
import { allow, type Manifest, policy, rootNamespace, spiffeId } from '../support/manifests.ts';
import { type AccessRecord, Mesh, type MeshWorkload } from '../support/mesh.ts';
import { until } from '../support/until.ts';

const http = { port: 80, targetPort: 8080, appProtocol: 'http', app: echoApp } as const;
const plain = { port: 81, targetPort: 8081, appProtocol: 'http', app: echoApp } as const;

let mesh: Mesh;
let client: MeshWorkload;
let other: MeshWorkload;
let server: MeshWorkload;
/** A connection to the server's proxy with the client's identity, and no proxy in between that would tidy up. */
let direct: Http2Client;

beforeAll(async () => {
  mesh = await Mesh.start({
    workloads: { client: {}, other: {}, server: { ports: [http, plain] } },
  });
  client = mesh.workload('client');
  other = mesh.workload('other');
  server = mesh.workload('server');
  direct = await mesh.meshClient('server', 8080, await mesh.identity('client'));
});

const denied = (reason: string) => `ext_authz_denied[deny:shop/rules${reason}]`;

async function outcome(connection: Http2Client, call: Call): Promise<unknown> {
  const { status, headers } = await connection.request('server', call);
  return status === 200 ? 200 : (headers['x-trellis-denied'] ?? status);
}

/** Puts rules in force; resolves when this call has this outcome: the agent learns of them beside the proxy. */
async function rules(
  authorization: NonNullable<Parameters<typeof policy>[1]['authorization']>,
  call: Call,
  expected: unknown,
): Promise<void> {
  await mesh.apply('rules.yaml', policy('rules', { authorization }, { app: 'server' }));
  await until('the rules', async () => (await outcome(direct, call)) === expected);
}

const checks = () => server.stat('cluster.trellis-authz.upstream_rq_total');
const blue = { 'x-tenant': 'blue' };

describe('a condition', () => {
  const rule = {
    ...allow(['client'], [{ ports: [8080], paths: ['/orders/**'] }]),
    condition: "request.headers['x-tenant'] == 'blue' && !request.path.startsWith('/orders/secret')",
  };

  beforeAll(() => rules([rule], { path: '/orders/7' }, denied(':rule-0:condition-error')));

  test('that holds allows', async () => {
    expect(await outcome(direct, { path: '/orders/7?x=1', headers: blue })).toBe(200);
  });

  test('that does not hold denies, and says so to the caller and in the access log', async () => {
    const answer = await client.call('server', { path: '/orders/8', headers: { 'x-tenant': 'red' } });
    const reason = denied(':rule-0:condition-false');
    expect(answer.status).toBe(403);
    expect(answer.headers['x-trellis-denied']).toBe(reason);
    expect(JSON.parse(answer.body)).toEqual({ error: 'denied by the mesh', reason });
    const isIt = (record: AccessRecord) =>
      record['path'] === '/orders/8' && record['direction'] === 'inbound';
    const record = await until('the access log', () => server.accessLog().find(isIt));
    expect(record).toMatchObject({
      code: 403,
      peer: spiffeId('client'),
      details: 'ext_authz_denied',
      denied: 'deny:shop/rules:rule-0:condition-false',
    });
  });

  test('is asked for no request that Envoy denies by itself', async () => {
    const before = await checks();
    expect(await outcome(direct, { path: '/elsewhere', headers: blue })).toBe(
      'rbac_access_denied_matched_policy[deny:shop/rules]',
    );
    expect((await other.call('server', { path: '/orders/7', headers: blue })).status).toBe(403);
    expect(await checks()).toBe(before);
  });

  test('on a path lets none through that some servers read as another', async () => {
    expect(await outcome(direct, { path: '/orders/%2e%2e;/secret', headers: blue })).toBe(
      'rbac_access_denied_matched_policy[deny:shop/rules]',
    );
  });

  test.each([
    '/orders//secret',
    '/orders/./secret',
    '/orders/x/../secret',
    '//orders/secret/a',
    '/%6frders/secret',
  ])('cannot be confused by %s', async (path) => {
    const seen = server.apps.get(8080)?.seen.length;
    expect(await outcome(direct, { path, headers: blue })).toBe(denied(':rule-0:condition-false'));
    expect(server.apps.get(8080)?.seen.length).toBe(seen);
  });

  test('reads no header that is there twice', async () => {
    const stream = direct.open(
      {
        ':authority': 'server',
        ':path': '/orders/7',
        'x-tenant': ['blue', 'red'] as unknown as string,
      },
      true,
    );
    const headers = await new Promise<Record<string, unknown>>((resolve) => stream.once('response', resolve));
    expect(headers['x-trellis-denied']).toBe(denied(':rule-0:duplicate-header'));
  });

  // Envoy passes each of them on, and an HTTP/1 application reads `blue`; CGI and its heirs read the twin as the same header.
  test.each([
    ['space before', { 'x-tenant': ' blue' }, 'invalid-header'],
    ['a tab after', { 'x-tenant': 'blue\t' }, 'invalid-header'],
    ['a twin', { 'x-tenant': 'blue', x_tenant: 'red' }, 'duplicate-header'],
  ])('reads no header with %s', async (_, headers, cause) => {
    expect(await outcome(direct, { path: '/orders/7', headers })).toBe(denied(`:rule-0:${cause}`));
  });

  test('of an unenforced policy is recorded, and nothing else', async () => {
    const watched = policy(
      'watched',
      { enforcement: 'audit', authorization: [{ ...allow(['*']), condition: "request.method == 'PUT'" }] },
      { app: 'server' },
    );
    await mesh.apply('rules.yaml', watched);
    const audited = (record: AccessRecord) =>
      record['auditByAgent'] === 'deny:shop/watched:rule-0:condition-false';
    const record = await until('the record', async () => {
      expect((await client.call('server', { path: '/watched' })).status).toBe(200);
      return server.accessLog().find(audited);
    });
    expect(record).toMatchObject({ path: '/watched', code: 200 });
  });
});

describe('a token', () => {
  const rule = { ...allow(['client']), token: {} };
  const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
  const token = async (of: MeshWorkload, audience: string, type: TokenType = 'ML-DSA') =>
    (await fetchToken(of.socket, { type, audience })).token;

  beforeAll(() => rules([rule], {}, denied(':rule-0:token-missing')));

  test('of the caller for the server allows', async () => {
    expect(await outcome(direct, bearer(await token(client, spiffeId('server'))))).toBe(200);
  });

  test('for somebody else, of somebody else, of the other kind, or altered, does not', async () => {
    const good = await token(client, spiffeId('server'));
    const [head, payload, signature = ''] = good.split('.');
    const flipped = `${head}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
    const cases: [string, string][] = [
      [await token(client, spiffeId('other')), 'token-audience'],
      [await token(other, spiffeId('server')), 'token-subject'],
      [await token(client, spiffeId('server'), 'JWT-SVID'), 'token-type'],
      [flipped, 'token-signature'],
      ['x.y.z', 'token-malformed'],
    ];
    for (const [value, cause] of cases)
      expect(await outcome(direct, bearer(value))).toBe(denied(`:rule-0:${cause}`));
  });

  test('of somebody in quarantine counts no more', async () => {
    const anybody = { ...allow(['client']), token: { subjects: ['*'] } };
    const call = bearer(await token(other, spiffeId('server')));
    await rules([anybody], call, 200);
    await mesh.apply(
      'incident.yaml',
      policy('incident', { quarantine: [spiffeId('other')] }, { namespace: rootNamespace }),
    );
    await until(
      'the quarantine',
      async () => (await outcome(direct, call)) === denied(':rule-0:token-quarantined'),
    );
    await mesh.remove('incident.yaml');
    await until('its end', async () => (await outcome(direct, call)) === 200);
  });

  test('of the first caller counts behind another where the rule says so', async () => {
    const behind = { ...allow(['other']), token: { subjects: [spiffeId('client')], audiences: ['desk'] } };
    await rules([rule, behind], {}, denied(':rule-0:token-missing'));
    const call = bearer(await token(client, 'desk'));
    await until('the rule', async () => (await other.call('server', call)).status === 200);
    expect((await client.call('server', call)).headers['x-trellis-denied']).toBe(
      denied(':rule-0:token-audience'),
    );
  });
});

describe('an edit', () => {
  test('reaches connections that are open, and cuts none', async () => {
    await rules([allow(['client'])], {}, 200);
    const listeners = await server.stat('listener_manager.listener_modified');
    const open = await mesh.meshClient('server', 8080, await mesh.identity('client'));
    expect(await outcome(open, {})).toBe(200);
    await rules(
      [{ ...allow(['client']), condition: "request.method == 'POST'" }],
      {},
      denied(':rule-0:condition-false'),
    );
    expect(await outcome(open, {})).toBe(denied(':rule-0:condition-false'));
    expect(await outcome(open, { method: 'POST' })).toBe(200);
    await rules([allow(['client'])], {}, 200);
    expect(await outcome(open, {})).toBe(200);
    expect(open.end).toBeUndefined();
    expect(await server.stat('listener_manager.listener_modified')).toBe(listeners);
  });

  test('with a condition that is no expression changes nothing', async () => {
    const bad = { ...allow(['client']), condition: 'request.pth == "/"' };
    const errors = () => mesh.controlPlane.metric('trellis_source_updates_total', { result: 'rejected' });
    const before = await errors();
    await mesh.controlPlane.write('rules.yaml', [
      policy('rules', { authorization: [bad] }, { app: 'server' }),
    ]);
    await until('the refusal', async () => (await errors()) > before);
    expect(await outcome(direct, {})).toBe(200);
    expect(mesh.controlPlane.log.text.join('')).toContain('authorization[0].condition');
    await rules([allow(['client'])], {}, 200);
  });

  test('is asked about by no port that does not need it', async () => {
    await rules(
      [
        { ...allow(['client'], [{ ports: [8080] }]), condition: "request.method == 'POST'" },
        allow(['client'], [{ ports: [8081] }]),
      ],
      {},
      denied(':rule-0:condition-false'),
    );
    const before = await checks();
    expect((await client.call('server:81')).status).toBe(200);
    expect(await checks()).toBe(before);
  });
});

describe('without its agent', () => {
  const conditional: Manifest = policy(
    'rules',
    {
      authorization: [
        { ...allow(['client'], [{ ports: [8080] }]), condition: "request.method == 'GET'" },
        allow(['client'], [{ ports: [8081] }]),
      ],
    },
    { app: 'server' },
  );

  test('a proxy denies what the agent would have to decide, and goes on with the rest', async () => {
    await mesh.apply('rules.yaml', conditional);
    await until('the rules', async () => (await client.call('server')).status === 200);
    const seen = server.apps.get(8080)?.seen.length;
    await server.stopAgent();
    const answer = await client.call('server');
    expect(answer.status).toBe(503);
    expect(answer.headers['x-trellis-denied']).toBe('ext_authz_error[the agent did not answer; try again]');
    expect(server.apps.get(8080)?.seen.length).toBe(seen);
    expect((await client.call('server:81')).status).toBe(200);
    await server.startAgent();
    await until('the agent', async () => (await client.call('server')).status === 200);
  });

  test('an unenforced policy lets requests through', async () => {
    const watched = policy(
      'rules',
      {
        enforcement: 'warn',
        authorization: [{ ...allow(['client']), condition: "request.method == 'PUT'" }],
      },
      { app: 'server' },
    );
    await mesh.apply('rules.yaml', watched);
    await server.stopAgent();
    try {
      for (let i = 0; i < 3; i++) expect((await client.call('server')).status).toBe(200);
    } finally {
      await server.startAgent();
    }
  });
});

test('reasons are kept from callers where the mesh says so, and stay in the access log', async () => {
  const quiet = await Mesh.start({
    denialReasons: 'hidden',
    workloads: { client: {}, server: { ports: [http] } },
    manifests: {
      'rules.yaml': [
        policy(
          'rules',
          {
            authorization: [
              { ...allow(['client'], [{ paths: ['/a'] }]), condition: "request.method == 'PUT'" },
            ],
          },
          { app: 'server' },
        ),
      ],
    },
  });
  for (const [path, details, reason] of [
    ['/a', 'ext_authz_denied', 'deny:shop/rules:rule-0:condition-false'],
    ['/b', 'rbac_access_denied_matched_policy[deny:shop/rules]', null],
  ] as const) {
    const denial = await until('a denial', async () => {
      const answer = await quiet.workload('client').call('server', { path });
      return answer.status === 403 ? answer : undefined;
    });
    expect(JSON.parse(denial.body)).toEqual({ error: 'denied by the mesh' });
    expect(denial.headers['x-trellis-denied']).toBeUndefined();
    expect(JSON.stringify(denial)).not.toContain('shop/rules');
    const isIt = (record: AccessRecord) =>
      record['path'] === path && record['code'] === 403 && record['direction'] === 'inbound';
    const record = await until('the log', () => quiet.workload('server').accessLog().find(isIt));
    expect(record).toMatchObject({ details, denied: reason });
  }
});
