import { describe, expect, test } from 'vitest';
import type { MeshState, NamespacedName, Policy, Workload } from '../../../src/model/mesh.ts';
import { effectivePolicy, hybridPolicies, mergePolicies } from '../../../src/policy/effective.ts';

type Spec = Policy['spec'];

function policy(name: NamespacedName, spec: Spec): Policy {
  const [namespace = '', own = ''] = name.split('/');
  return { namespace, name: own, spec };
}

function state(...policies: readonly Policy[]): MeshState {
  return {
    trustDomain: 'cluster.local',
    rootNamespace: 'trellis-system',
    workloads: new Map(),
    services: new Map(),
    policies: new Map(policies.map((each) => [`${each.namespace}/${each.name}`, each])),
    quantumServices: new Map(),
  };
}

const server: Workload = {
  namespace: 'shop',
  name: 'server',
  uid: 'uid',
  labels: { app: 'server' },
  serviceAccount: 'server',
  addresses: ['10.0.0.2'],
  ports: [],
  meshed: true,
};

const anyone = { from: [{ principals: ['*'] }] };

describe('which policies count', () => {
  const names = (...policies: readonly Policy[]) =>
    effectivePolicy(state(...policies), server).requirements.map((requirement) => requirement.policy);

  test('those of its own namespace and of the root namespace, in order of name', () => {
    expect(
      names(
        policy('trellis-system/mesh', { authorization: [anyone] }),
        policy('shop/b', { authorization: [anyone] }),
        policy('shop/a', { authorization: [anyone] }),
        policy('other/c', { authorization: [] }),
      ),
    ).toEqual(['shop/a', 'shop/b', 'trellis-system/mesh']);
  });

  test('those whose selector matches', () => {
    expect(
      names(
        policy('shop/mine', { selector: { matchLabels: { app: 'server' } }, authorization: [] }),
        policy('shop/not-mine', { selector: { matchLabels: { app: 'client' } }, authorization: [] }),
        policy('trellis-system/not-mine', {
          selector: { matchLabels: { app: 'client' } },
          authorization: [],
        }),
      ),
    ).toEqual(['shop/mine']);
  });

  test('a policy without rules demands nothing, one with an empty list is a requirement nobody meets', () => {
    expect(names(policy('shop/silent', {}))).toEqual([]);
    expect(names(policy('shop/closed', { authorization: [] }))).toEqual(['shop/closed']);
  });
});

describe('each field alone', () => {
  const effective = (spec: Spec) => mergePolicies([policy('shop/p', spec)]);

  test('nothing said: encryption and authentication all the same', () => {
    expect(effective({})).toMatchObject({
      postQuantumEncryption: 'required',
      quantumAuthentication: 'enabled',
      encryptionPolicies: [],
      conflicts: [],
    });
  });

  test('postQuantumEncryption', () => {
    expect(effective({ postQuantumEncryption: 'preferred' })).toMatchObject({
      postQuantumEncryption: 'preferred',
      encryptionPolicies: ['shop/p'],
    });
  });

  test('quantumAuthentication', () => {
    expect(effective({ quantumAuthentication: 'optional' }).quantumAuthentication).toBe('optional');
  });

  test('quantumAuthentication: hybrid is no conflict, and is known by the policies that ask for it', () => {
    const policy = effective({ quantumAuthentication: 'hybrid' });
    expect(policy.conflicts).toEqual([]);
    expect(hybridPolicies(policy)).toEqual(['shop/p']);
    expect(hybridPolicies(effective({ quantumAuthentication: 'enabled' }))).toEqual([]);
  });

  test('enforcement: audit and warn enforce nothing and record everything', () => {
    for (const enforcement of ['audit', 'warn'] as const) {
      const result = effective({ enforcement, authorization: [], quantumAuthentication: 'hybrid' });
      expect(result.requirements).toEqual([]);
      expect(result.conflicts).toEqual([]);
      expect(result.shadowRequirements).toEqual([{ policy: 'shop/p', rules: [] }]);
    }
  });

  test('complianceLevel: CNSA-2.0 names why it cannot be kept', () => {
    const reasons = effective({ complianceLevel: 'CNSA-2.0' }).conflicts.map((conflict) => conflict.reason);
    expect(reasons).toContainEqual(expect.stringContaining('DataPlaneCipherNotEnforceable'));
    expect(reasons).toContainEqual(expect.stringContaining('X25519MLKEM768'));
    expect(reasons).toContainEqual(expect.stringContaining('ML-DSA-65'));
  });

  test.each(['FIPS-140-3-L3', 'FIPS-140-2-L3+', 'BSI-TR-02102', 'none'] as const)(
    'complianceLevel: %s allows what the mesh speaks',
    (complianceLevel) => expect(effective({ complianceLevel }).conflicts).toEqual([]),
  );

  test('complianceLevel: two profiles without a common value are a conflict that names both policies', () => {
    const result = mergePolicies([
      policy('shop/cnsa', { complianceLevel: 'CNSA-2.0' }),
      policy('shop/bsi', { complianceLevel: 'BSI-TR-02102' }),
    ]);
    expect(result.conflicts).toContainEqual(
      expect.objectContaining({
        policies: ['shop/bsi', 'shop/cnsa'],
        reason: 'shop/bsi and shop/cnsa have no key exchange in common',
      }),
    );
  });

  test('exceptions: a host is let off only when all that demand encryption agree', () => {
    const exception = (host: string) => ({
      host,
      postQuantumEncryption: 'preferred' as const,
      reason: 'why',
    });
    const required = { postQuantumEncryption: 'required' as const };
    expect(
      mergePolicies([
        policy('shop/a', { ...required, exceptions: [exception('x'), exception('y')] }),
        policy('shop/b', { ...required, exceptions: [exception('y'), exception('z')] }),
        policy('shop/c', { exceptions: [exception('z')] }),
      ]).exemptHosts,
    ).toEqual(['y']);
  });

  test('quarantine: of the root namespace alone, whatever the selector', () => {
    const id = 'spiffe://cluster.local/ns/shop/sa/client';
    const result = effectivePolicy(
      state(
        policy('trellis-system/incident', { quarantine: [id], selector: { matchLabels: { app: 'nobody' } } }),
        policy('shop/private', { quarantine: ['spiffe://cluster.local/ns/shop/sa/other'] }),
      ),
      server,
    );
    expect([...result.quarantine]).toEqual([[id, 'trellis-system/incident']]);
  });
});
