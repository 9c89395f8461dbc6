// `quantumAuthentication: hybrid`: callers must carry the CA's second signature as well, which Envoy cannot check.

import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { echoApp } from '../support/apps.ts';
import type { Http2Client } from '../support/http-client.ts';
import { counterFlaws, signedByThief } from '../support/impostors.ts';
import { allow, policy, rootNamespace, spiffeId } from '../support/manifests.ts';
import { Mesh, type MeshWorkload } from '../support/mesh.ts';
import { attempt } from '../support/mesh-client.ts';
import { until } from '../support/until.ts';

const http = { port: 80, targetPort: 8080, appProtocol: 'http', app: echoApp } as const;

let mesh: Mesh;
let client: MeshWorkload;
let server: MeshWorkload;

beforeAll(async () => {
  mesh = await Mesh.start({ workloads: { client: {}, server: { ports: [http] } } });
  client = mesh.workload('client');
  server = mesh.workload('server');
});

const checks = () => server.stat('cluster.trellis-authz.upstream_rq_total');
const networkChecks = () => server.stat('ext_authz.counter_signature.total');

/** Resolves when connections that are made from now on are met by the listener that follows from it. */
async function demand(quantumAuthentication: 'enabled' | 'hybrid'): Promise<void> {
  await mesh.apply('authentication.yaml', policy('peers', { quantumAuthentication }, { app: 'server' }));
  const isChecked = quantumAuthentication === 'hybrid';
  const identity = await mesh.identity('client');
  await until('the listener', async () => {
    const before = await networkChecks();
    await attempt(mesh.target('server', 8080, identity));
    return (await networkChecks()) > before === isChecked;
  });
}

/** A peer with a genuine chain of ML-DSA signatures, and this wrong with the counter-signature. */
async function thief(flaw: (typeof counterFlaws)[number]) {
  const ca = await mesh.controlPlane.ca();
  return signedByThief(ca, flaw, { spiffeId: spiffeId('client') });
}

const status = async (connection: Http2Client): Promise<unknown> => {
  const { status, headers } = await connection.request('server');
  return headers['x-trellis-denied'] ?? status;
};

describe('where it is demanded', () => {
  beforeAll(() => demand('hybrid'));

  test('a peer that has it is served, and checked once per connection', async () => {
    const identity = await mesh.identity('client');
    // With its first bytes the connection is asked about, before there is a request.
    const before = await checks();
    const connection = await mesh.meshClient('server', 8080, identity);
    for (let i = 0; i < 3; i++) expect(await status(connection)).toBe(200);
    expect((await checks()) - before).toBe(1);
    expect((await client.call('server')).status).toBe(200);
  });

  test.each(counterFlaws)('a peer is not answered whose counter-signature is: %s', async (flaw) => {
    const seen = server.apps.get(8080)?.seen.length;
    const before = await server.stat('ext_authz.counter_signature.denied');
    const identity = { ...(await mesh.identity('client')), ...(await thief(flaw)) };
    expect(await attempt(mesh.target('server', 8080, identity))).toMatchObject({ kind: 'refused' });
    expect(server.apps.get(8080)?.seen.length).toBe(seen);
    expect(await server.stat('ext_authz.counter_signature.denied')).toBeGreaterThan(before);
  });

  test('nobody is answered while the agent is away', async () => {
    await server.stopAgent();
    try {
      expect(await attempt(mesh.target('server', 8080, await mesh.identity('client')))).toMatchObject({
        kind: 'refused',
      });
    } finally {
      await server.startAgent();
    }
    await until('the agent', async () => {
      const seen = await attempt(mesh.target('server', 8080, await mesh.identity('client')));
      return seen.kind === 'answered' && seen.status === 200;
    });
  });
});

describe('where it is not', () => {
  beforeEach(() => demand('enabled'));

  test('no connection is checked', async () => {
    const before = await checks();
    const connection = await mesh.meshClient('server', 8080, await mesh.identity('client'));
    expect(await status(connection)).toBe(200);
    expect(await checks()).toBe(before);
  });

  test.each(counterFlaws)('a peer is served whose counter-signature is: %s', async (flaw) => {
    const identity = { ...(await mesh.identity('client')), ...(await thief(flaw)) };
    const seen = await attempt(mesh.target('server', 8080, identity));
    expect(seen).toMatchObject({ kind: 'answered', status: 200 });
  });

  test('the demand reaches connections that are open: it refuses those without, and serves the others', async () => {
    const genuine = await mesh.meshClient('server', 8080, await mesh.identity('client'));
    const stolen = await mesh.meshClient('server', 8080, {
      ...(await mesh.identity('client')),
      ...(await thief('missing')),
    });
    expect([await status(genuine), await status(stolen)]).toEqual([200, 200]);
    await demand('hybrid');
    expect(await status(stolen)).toBe('ext_authz_denied[deny:shop/peers:counter-signature-missing]');
    expect(await status(genuine)).toBe(200);
  });

  test('a connection from the time of the demand follows what comes after it', async () => {
    await demand('hybrid');
    const open = await mesh.meshClient('server', 8080, await mesh.identity('client'));
    expect(await status(open)).toBe(200);
    await mesh.apply(
      'authentication.yaml',
      policy(
        'peers',
        { quantumAuthentication: 'enabled', authorization: [allow(['other'])] },
        { app: 'server' },
      ),
    );
    expect(await status(open)).toBe('rbac_access_denied_matched_policy[deny:shop/peers]');
    await demand('enabled');
    expect(await status(open)).toBe(200);
    await mesh.apply(
      'incident.yaml',
      policy('incident', { quarantine: [spiffeId('client')] }, { namespace: rootNamespace }),
    );
    expect(await status(open)).toBe(
      'rbac_access_denied_matched_policy[deny:trellis-system/incident:quarantine]',
    );
    await mesh.remove('incident.yaml');
    await until('the end of the quarantine', async () => (await status(open)) === 200);
    expect(open.end).toBeUndefined();
  });

  test('a rule of an authorization policy is asked about on either kind of connection', async () => {
    const rule = { ...allow(['client']), condition: "request.method == 'POST'" };
    await mesh.apply('rules.yaml', policy('rules', { authorization: [rule] }, { app: 'server' }));
    const old = await mesh.meshClient('server', 8080, await mesh.identity('client'));
    const denied = 'ext_authz_denied[deny:shop/rules:rule-0:condition-false]';
    await until('the rule', async () => (await status(old)) === denied);
    await demand('hybrid');
    expect(await status(old)).toBe(denied);
    const fresh = await mesh.meshClient('server', 8080, await mesh.identity('client'));
    expect(await status(fresh)).toBe(denied);
    expect((await fresh.request('server', { method: 'POST' })).status).toBe(200);
    expect(await networkChecks()).toBeGreaterThan(0);
    await mesh.remove('rules.yaml');
  });
});
