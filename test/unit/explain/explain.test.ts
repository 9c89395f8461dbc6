import { describe, expect, test } from 'vitest';
import { ask, clientId, mesh, policy, serverId } from './support.ts';

const fromClient = `from: [{principals: [${clientId}]}]`;

describe('between workloads of the mesh', () => {
  test('where no policy speaks everything is allowed, and encrypted', () => {
    const { allowed, reason, route, targets, notes } = ask(mesh());
    expect({ allowed, reason, route, notes }).toEqual({
      allowed: true,
      reason: undefined,
      route: { kind: 'mesh' },
      notes: [],
    });
    expect(targets).toHaveLength(2);
    expect(targets[0]).toEqual({
      workload: 'shop/server-1',
      identity: serverId,
      address: '10.0.0.2',
      port: 8080,
      allowed: true,
      reason: undefined,
      decidedBy: 'envoy',
      connection: {
        encryption: 'mutual-tls',
        version: 'TLSv1.3',
        group: 'X25519MLKEM768',
        signature: 'ML-DSA-65',
        serverIdentities: [serverId],
        clientCertificate: 'required',
        counterSignature: [],
      },
      policies: [],
      audit: [],
    });
  });

  test('every policy that selects the pod says which rule allows, in order of name', () => {
    const state = mesh(
      policy('shop/b', `{authorization: [{from: [{principals: [spiffe://x/y]}]}, {${fromClient}}]}`),
      policy('shop/a', `{authorization: [{${fromClient}, to: [{methods: [GET]}]}]}`),
      policy('shop/other', '{selector: {matchLabels: {app: client}}, authorization: []}'),
      policy('trellis-system/mesh', '{postQuantumEncryption: required, quantumAuthentication: enabled}'),
    );
    const { allowed, targets } = ask(state);
    expect(allowed).toBe(true);
    expect(targets[0]?.policies).toMatchObject([
      { policy: 'shop/a', allows: true, rule: 0 },
      { policy: 'shop/b', allows: true, rule: 1 },
      {
        policy: 'trellis-system/mesh',
        allows: undefined,
        postQuantumEncryption: 'required',
        quantumAuthentication: 'enabled',
      },
    ]);
  });

  test('a denial names its policy, and what that policy does let the caller do', () => {
    const rules = `[{${fromClient}, to: [{methods: [POST], paths: [/b/**], ports: [8080]}]}, {from: [{principals: [spiffe://x/y]}]}]`;
    const { allowed, reason, targets } = ask(mesh(policy('shop/strict', `{authorization: ${rules}}`)));
    expect({ allowed, reason }).toEqual({ allowed: false, reason: 'deny:shop/strict' });
    expect(targets[0]).toMatchObject({
      decidedBy: 'envoy',
      policies: [
        {
          allows: false,
          rule: undefined,
          reason: 'deny:shop/strict',
          cause: 'no-rule',
          rulesForCaller: [{ rule: 0, to: [{ methods: ['POST'], paths: ['/b/**'], ports: [8080] }] }],
        },
      ],
    });
  });

  test('method, path and port all have a part in it', () => {
    const rule = `{authorization: [{${fromClient}, to: [{methods: [POST], paths: [/b/**], ports: [8080]}]}]}`;
    const state = mesh(policy('shop/strict', rule));
    expect(ask(state, { method: 'POST', path: '/b/c?d' }).allowed).toBe(true);
    expect(ask(state, { method: 'POST', path: '/c' }).allowed).toBe(false);
    expect(ask(state, { method: 'GET', path: '/b/c' }).allowed).toBe(false);
    expect(ask(state, { method: 'POST', path: '/b/c', port: 9000 }).allowed).toBe(false);
  });

  test('all pods of a Service must allow', () => {
    const closed = policy('shop/closed', '{selector: {matchLabels: {pod: server-2}}, authorization: []}');
    const { allowed, reason, targets } = ask(mesh(closed));
    expect({ allowed, reason }).toEqual({ allowed: false, reason: 'deny:shop/closed' });
    expect(targets.map((target) => [target.workload, target.allowed])).toEqual([
      ['shop/server-1', true],
      ['shop/server-2', false],
    ]);
    expect(ask(mesh(closed), { to: 'shop/server-1', port: 8080 })).toMatchObject({
      allowed: true,
      called: { kind: 'pod', name: 'shop/server-1', port: 8080 },
      targets: [{ workload: 'shop/server-1' }],
    });
  });

  test('TCP has neither methods nor tokens', () => {
    const state = mesh(policy('shop/tcp', `{authorization: [{${fromClient}, to: [{ports: [9000]}]}]}`));
    const explanation = ask(state, { port: 9000, method: 'POST' });
    expect(explanation).toMatchObject({
      allowed: true,
      request: undefined,
      called: { protocol: 'tcp' },
      notes: [expect.stringContaining('TCP')],
    });
    const conditional = `{authorization: [{${fromClient}, condition: 'true'}]}`;
    expect(ask(mesh(policy('shop/tcp', conditional)), { port: 9000 })).toMatchObject({
      allowed: false,
      targets: [{ decidedBy: 'envoy' }, {}],
    });
  });

  test('what a caller may not write is not there', () => {
    const rule = `{authorization: [{${fromClient}, condition: "request.headers['x-trellis-user'] == 'root'"}]}`;
    const explanation = ask(mesh(policy('shop/p', rule)), { headers: ['X-Trellis-User: root'] });
    expect(explanation).toMatchObject({
      allowed: false,
      reason: 'deny:shop/p:rule-0:condition-error',
      request: { headers: [] },
      notes: [expect.stringContaining('x-trellis-user is removed')],
    });
  });
});

describe('what the agent decides', () => {
  const rule = `{authorization: [{${fromClient}, condition: "request.headers['x-desk'] == 'a'"}]}`;
  const state = mesh(policy('shop/p', rule));

  test('a condition', () => {
    expect(ask(state, { headers: ['x-desk: a'] })).toMatchObject({
      allowed: true,
      targets: [{ decidedBy: 'agent', policies: [{ allows: true, rule: 0 }] }, {}],
    });
    expect(ask(state, { headers: ['x-desk: b'] })).toMatchObject({
      allowed: false,
      reason: 'deny:shop/p:rule-0:condition-false',
      targets: [{ decidedBy: 'agent', policies: [{ allows: false, rule: 0, cause: 'condition-false' }] }, {}],
    });
    expect(ask(state, { headers: ['x-desk: a', 'X-Desk: a'] }).reason).toBe(
      'deny:shop/p:rule-0:duplicate-header',
    );
  });

  test('not what Envoy denies before it asks', () => {
    expect(ask(state, { from: 'shop/lonely' })).toMatchObject({
      allowed: false,
      reason: 'deny:shop/p',
      targets: [{ decidedBy: 'envoy' }, {}],
    });
  });

  test('a token', () => {
    const withToken = mesh(policy('shop/p', `{authorization: [{${fromClient}, token: {}}]}`));
    expect(ask(withToken).reason).toBe('deny:shop/p:rule-0:token-missing');
    expect(ask(withToken, { token: 'x', verifyToken: () => 'token-expired' }).reason).toBe(
      'deny:shop/p:rule-0:token-expired',
    );
    const verified = { type: 'ML-DSA', subject: clientId, audience: serverId, claims: {} } as const;
    expect(ask(withToken, { token: 'x', verifyToken: () => verified }).allowed).toBe(true);
    const stolen = { ...verified, subject: serverId };
    expect(ask(withToken, { token: 'x', verifyToken: () => stolen }).reason).toBe(
      'deny:shop/p:rule-0:token-subject',
    );
  });

  test('the host is what the application would write', () => {
    const host = (text: string) =>
      mesh(policy('shop/p', `{authorization: [{${fromClient}, condition: "request.host == '${text}'"}]}`));
    expect(ask(host('server.shop.svc.cluster.local')).allowed).toBe(true);
    expect(ask(host('x')).allowed).toBe(false);
    expect(ask(host('x'), { headers: ['host: x'] }).allowed).toBe(true);
  });
});

describe('what is recorded only', () => {
  test('warn and audit say what they would deny', () => {
    const state = mesh(
      policy('shop/later', '{enforcement: audit, authorization: []}'),
      policy('shop/soon', `{enforcement: warn, authorization: [{${fromClient}, condition: 'false'}]}`),
    );
    expect(ask(state)).toMatchObject({
      allowed: true,
      targets: [
        {
          decidedBy: 'envoy',
          audit: ['deny:shop/later', 'deny:shop/soon:rule-0:condition-false'],
          policies: [
            { policy: 'shop/later', enforcement: 'audit', allows: false },
            { policy: 'shop/soon', enforcement: 'warn', allows: false, rule: 0 },
          ],
        },
        {},
      ],
    });
  });
});

describe('the cryptography', () => {
  const connection = (spec: string) => ask(mesh(policy('shop/p', spec))).targets[0]?.connection;

  test('hybrid demands the counter-signature, by name', () => {
    expect(connection('{quantumAuthentication: hybrid}')).toMatchObject({
      clientCertificate: 'required',
      counterSignature: ['shop/p'],
    });
  });

  test('optional does not ask for a certificate', () => {
    expect(connection('{quantumAuthentication: optional}')).toMatchObject({
      clientCertificate: 'optional',
      counterSignature: [],
    });
  });

  test('a profile that cannot be kept closes the workload, by name', () => {
    const closed = ask(
      mesh(policy('shop/p', '{selector: {matchLabels: {app: server}}, complianceLevel: CNSA-2.0}')),
    );
    expect(closed).toMatchObject({
      allowed: false,
      reason: 'deny:shop/p:complianceLevel-conflict',
      targets: [{ decidedBy: 'envoy' }, {}],
    });
  });
});

describe('the edge of the mesh', () => {
  test('a call out of it is refused by the caller’s own proxy', () => {
    expect(ask(mesh(), { to: 'shop/legacy' })).toMatchObject({
      allowed: false,
      reason: expect.stringMatching(/^deny:mesh-default:postQuantumEncryption: legacy\.shop/),
      route: { kind: 'refused', status: 403 },
      targets: [],
    });
  });

  test('unless an exception lets it go, in plaintext', () => {
    const exception =
      '{host: legacy.shop.svc.cluster.local, postQuantumEncryption: preferred, reason: until it is meshed}';
    const state = mesh(
      policy('trellis-system/p', `{postQuantumEncryption: required, exceptions: [${exception}]}`),
    );
    expect(ask(state, { to: 'shop/legacy' })).toMatchObject({
      allowed: true,
      route: { kind: 'plaintext' },
      targets: [{ workload: 'shop/legacy', decidedBy: 'nobody', connection: { encryption: 'plaintext' } }],
    });
  });

  test('pods without a proxy are left out of a Service that has others', () => {
    const { targets, notes } = ask(mesh(), { to: 'shop/mixed' });
    expect(targets.map(({ workload }) => workload)).toEqual(['shop/server-1']);
    expect(notes).toEqual([expect.stringContaining('shop/legacy is not called')]);
    expect(ask(mesh(), { to: 'shop/legacy', kind: 'pod', port: 8080 })).toMatchObject({ allowed: false });
    expect(ask(mesh(), { to: 'shop/server-1', port: 8080 })).toMatchObject({
      allowed: true,
      called: { through: 'shop/mixed' },
      notes: [],
    });
  });

  test('a caller without a proxy is refused where encryption is required', () => {
    expect(ask(mesh(), { from: 'shop/legacy' })).toMatchObject({
      allowed: false,
      reason: 'deny:mesh-default:postQuantumEncryption',
      caller: { inMesh: false },
      route: { kind: 'without-proxy' },
      targets: [{ decidedBy: 'nobody', connection: { encryption: 'refused' } }, {}],
      notes: [expect.stringContaining('has no proxy'), expect.stringContaining('not closed')],
    });
  });

  test('and passes in plaintext where it is preferred, or where nobody is in the mesh', () => {
    const preferred = mesh(policy('shop/p', '{postQuantumEncryption: preferred}'));
    for (const explanation of [
      ask(preferred, { from: 'shop/legacy' }),
      ask(mesh(), { from: 'shop/legacy', to: 'shop/legacy' }),
    ]) {
      expect(explanation.allowed).toBe(true);
      expect(explanation.targets[0]).toMatchObject({ connection: { encryption: 'plaintext' }, policies: [] });
    }
  });

  test('a conflict closes a pod of the mesh to such callers too, and no other', () => {
    const state = mesh(policy('shop/p', '{postQuantumEncryption: preferred, complianceLevel: CNSA-2.0}'));
    expect(ask(state, { from: 'shop/legacy' }).reason).toBe('deny:shop/p:complianceLevel-conflict');
    expect(ask(state, { from: 'shop/legacy', to: 'shop/legacy' }).allowed).toBe(true);
  });

  test('a policy can switch the mesh off for a caller', () => {
    const state = mesh(
      policy('shop/off', '{selector: {matchLabels: {app: client}}, postQuantumEncryption: disabled}'),
    );
    expect(ask(state)).toMatchObject({
      allowed: false,
      route: { kind: 'without-proxy' },
      notes: [expect.stringContaining('postQuantumEncryption: disabled'), expect.anything()],
    });
  });
});

describe('nobody there', () => {
  test('a Service without endpoints', () => {
    expect(ask(mesh(), { to: 'shop/empty' })).toMatchObject({
      allowed: false,
      route: { kind: 'refused', status: 503 },
      reason: expect.stringContaining('no ready endpoint'),
    });
  });

  test('a pod that no Service leads to', () => {
    expect(ask(mesh(), { to: 'shop/lonely', port: 8080 })).toMatchObject({
      allowed: false,
      route: { kind: 'refused', status: 502 },
      notes: expect.arrayContaining([
        expect.stringContaining('no Service leads to port 8080 of shop/lonely'),
      ]),
    });
  });

  test('quarantine, on either side', () => {
    const quarantined = (id: string) => mesh(policy('trellis-system/incident', `{quarantine: [${id}]}`));
    expect(ask(quarantined(clientId))).toMatchObject({
      allowed: false,
      reason: expect.stringContaining('deny:trellis-system/incident:quarantine'),
      route: { kind: 'refused', status: 403 },
    });
    expect(ask(quarantined(serverId))).toMatchObject({
      allowed: false,
      route: { kind: 'refused', status: 503 },
    });
  });
});
