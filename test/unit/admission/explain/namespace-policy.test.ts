import { describe, expect, test } from 'vitest';
import { explainNamespace } from '../../../../src/admission/explain/namespace-policy.ts';
import { namespacedName, type Policy } from '../../../../src/model/mesh.ts';
import { ec, policyOf, rule } from '../images/support.ts';

const now = new Date('2026-06-01T00:00:00Z');
const digest = (pair: string) => `sha256:${pair.repeat(32)}`;

function explain(
  policies: readonly Policy[],
  labels?: Readonly<Record<string, string>>,
  namespace = 'trading',
) {
  const byName = new Map(policies.map((policy) => [namespacedName(policy), policy]));
  return explainNamespace(byName, { namespace, rootNamespace: 'trellis-system' }, labels, {
    now,
    hasEntry: () => true,
  });
}

describe('which policies count', () => {
  const policies = [
    policyOf({ selector: { matchLabels: { app: 'a' } }, quantumAuthentication: 'hybrid' }, 'selecting'),
    policyOf({}, 'plain'),
    policyOf({ postQuantumEncryption: 'preferred' }, 'mesh', 'trellis-system'),
    policyOf({ postQuantumEncryption: 'required' }, 'other', 'elsewhere'),
  ];
  const counted = (labels?: Readonly<Record<string, string>>) =>
    explain(policies, labels).policies.map(({ name, scope, counts }) => [name, scope, counts]);

  test('of no pod in particular: those without a selector', () => {
    expect(counted()).toEqual([
      ['trading/plain', 'namespace', true],
      ['trading/selecting', 'namespace', false],
      ['trellis-system/mesh', 'mesh', true],
    ]);
    expect(explain(policies)).toMatchObject({
      postQuantumEncryption: { value: 'preferred', policies: ['trellis-system/mesh'] },
      quantumAuthentication: { value: 'enabled', policies: [] },
    });
  });

  test('of a pod: those that select it', () => {
    expect(counted({ app: 'b' })[1]).toEqual(['trading/selecting', 'namespace', false]);
    expect(counted({ app: 'a' })[1]).toEqual(['trading/selecting', 'namespace', true]);
    expect(explain(policies, { app: 'a' }).quantumAuthentication).toEqual({
      value: 'hybrid',
      policies: ['trading/selecting'],
    });
  });

  test('of another namespace: its own, and the mesh’s', () => {
    expect(explain(policies, undefined, 'elsewhere').policies.map(({ name }) => name)).toEqual([
      'elsewhere/other',
      'trellis-system/mesh',
    ]);
  });
});

test('images and revocations are no affair of labels, nor revocations of enforcement', () => {
  const policies = [
    policyOf({ enforcement: 'audit', images: [rule()], revoked: { digests: [digest('ab')] } }),
    policyOf(
      {
        selector: { matchLabels: { app: 'a' } },
        revoked: { digests: [digest('aa')], keys: [ec.publicKey.spkiSha256] },
      },
      'selecting',
    ),
    policyOf({ revoked: { digests: [digest('ab')] } }, 'mesh', 'trellis-system'),
    policyOf({ images: [rule()], revoked: { digests: [digest('cd')] } }, 'other', 'elsewhere'),
  ];
  const { images, revoked } = explain(policies);
  expect(revoked).toEqual({ digests: [digest('aa'), digest('ab')], keys: [ec.publicKey.spkiSha256] });
  expect(images.map(({ policy, enforcement }) => [policy, enforcement])).toEqual([
    ['trading/images', 'audit'],
  ]);
  expect(images[0]?.rules[0]?.authorities[0]?.keysets[0]?.whyNot).toBe('its ECDSA-P256 key is revoked');
});

test('compliance: what is enforced, and what of it cannot be kept', () => {
  const level = (complianceLevel: NonNullable<Policy['spec']['complianceLevel']>, name: string, rest = {}) =>
    policyOf({ complianceLevel, ...rest }, name);
  const explained = explain([
    level('CNSA-2.0', 'b'),
    level('CNSA-2.0', 'a'),
    level('BSI-TR-02102', 'c', { enforcement: 'warn' }),
    policyOf({ images: [rule()] }),
  ]);
  expect(explained.complianceLevels).toEqual([{ value: 'CNSA-2.0', policies: ['trading/a', 'trading/b'] }]);
  expect(explained.conflicts).not.toEqual([]);
  expect(explained.images[0]?.rules[0]?.authorities[0]?.keysets[0]?.whyNot).toMatch(
    /under CNSA-2\.0 of trading\/a/,
  );
});
