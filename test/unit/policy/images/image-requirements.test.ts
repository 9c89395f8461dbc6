import { describe, expect, test } from 'vitest';
import type { Policy } from '../../../../src/model/mesh.ts';
import {
  compileImageRequirements,
  type ImageRule,
} from '../../../../src/policy/images/image-requirements.ts';
import { policiesForNamespace } from '../../../../src/policy/selection.ts';

const verify: ImageRule = {
  match: ['registry.example/**'],
  authorities: [
    { name: 'ci', keysets: [{ name: 'a', keys: [{ algorithm: 'ML-DSA-65', kms: 'awskms:///alias/ci' }] }] },
  ],
};
const denied: ImageRule = { match: ['docker.io/**'], action: 'deny' };
const allowed: ImageRule = { match: ['quay.io/**'], action: 'allow' };

const policyOf = (spec: Policy['spec'], name = 'p', namespace = 'shop'): Policy => ({
  namespace,
  name,
  spec,
});
const outcomes = (policies: readonly Policy[], image: string) =>
  compileImageRequirements(policies)
    .of(image)
    .map(({ outcome }) => outcome);

const images = [verify, denied, allowed];

describe('the requirement of one policy', () => {
  test('is that of the first rule that matches', () => {
    const policy = policyOf({ images: [...images, { match: ['**'], action: 'allow' }] });
    expect(compileImageRequirements([policy]).of('registry.example/a')).toEqual([
      { policy, enforcement: 'enforce', ruleIndex: 0, outcome: { kind: 'verify', rule: verify } },
    ]);
    expect(compileImageRequirements([policy]).of('docker.io/library/a')).toEqual([
      { policy, enforcement: 'enforce', ruleIndex: 1, outcome: { kind: 'deny', why: 'rule' } },
    ]);
    expect(compileImageRequirements([policy]).of('ghcr.io/a')).toEqual([
      { policy, enforcement: 'enforce', ruleIndex: 3, outcome: { kind: 'allow' } },
    ]);
  });

  test('is to deny where none matches', () => {
    const policy = policyOf({ images });
    expect(compileImageRequirements([policyOf({ images })]).of('ghcr.io/a')).toEqual([
      {
        policy,
        enforcement: 'enforce',
        ruleIndex: undefined,
        outcome: { kind: 'deny', why: 'no-rule' },
      },
    ]);
  });

  test('is nothing where the policy has no rules about images', () => {
    expect(outcomes([policyOf({ postQuantumEncryption: 'required' })], 'ghcr.io/a')).toEqual([]);
  });

  test.each([undefined, 'enforce', 'warn', 'audit'] as const)('says how it is meant: %s', (enforcement) => {
    const policy = policyOf({ images, ...(enforcement === undefined ? {} : { enforcement }) });
    expect(compileImageRequirements([policy]).of('ghcr.io/a')[0]?.enforcement).toBe(enforcement ?? 'enforce');
  });

  /** Each field by itself makes another outcome of the same image. */
  describe('turns on every field of the rule', () => {
    const outcome = (rule: ImageRule, rest: readonly ImageRule[] = []) =>
      outcomes([policyOf({ images: [rule, ...rest] })], 'quay.io/a')[0];

    test('match', () => {
      expect(outcome(allowed)).toEqual({ kind: 'allow' });
      expect(outcome({ ...allowed, match: ['quay.io/b'] })).toEqual({ kind: 'deny', why: 'no-rule' });
      expect(outcome({ ...allowed, match: ['quay.io/b', 'quay.io/a'] })).toEqual({ kind: 'allow' });
    });

    test('action', () => {
      expect(outcome({ match: ['**'], action: 'allow' })).toEqual({ kind: 'allow' });
      expect(outcome({ match: ['**'], action: 'deny' })).toEqual({ kind: 'deny', why: 'rule' });
      const rule: ImageRule = { ...verify, match: ['**'], action: 'verify' };
      expect(outcome(rule)).toEqual({ kind: 'verify', rule });
    });

    test('place', () => {
      const everything: ImageRule = { match: ['**'], action: 'deny' };
      expect(outcome(allowed, [everything])).toEqual({ kind: 'allow' });
      expect(outcome(everything, [allowed])).toEqual({ kind: 'deny', why: 'rule' });
    });

    test('authorities, bindReference and attestations, which go to whoever verifies as they are', () => {
      const rule: ImageRule = {
        ...verify,
        match: ['**'],
        bindReference: 'none',
        attestations: [{ predicateType: 'https://slsa.dev/provenance/v1', condition: 'true' }],
      };
      expect(outcome(rule)).toEqual({ kind: 'verify', rule });
    });
  });
});

describe('several policies', () => {
  test('all speak, each by its own first rule, in order of their names', () => {
    const lax = policyOf({ images: [{ match: ['**'], action: 'allow' }] }, 'z');
    const strict = policyOf({ images }, 'a', 'trellis-system');
    for (const list of [
      [lax, strict],
      [strict, lax],
      [lax, strict, lax],
    ]) {
      const requirements = compileImageRequirements(list).of('docker.io/library/a');
      expect(requirements.map(({ policy, outcome }) => [policy, outcome.kind])).toEqual([
        [lax, 'allow'],
        [strict, 'deny'],
      ]);
    }
  });

  test('revoke together, those that only warn or audit and those without rules about images too', () => {
    const { revokedDigests, revokedKeys, of } = compileImageRequirements([
      policyOf({ revoked: { digests: ['sha256:aa'], keys: ['11'] } }, 'a'),
      policyOf({ revoked: { digests: ['sha256:bb'] }, enforcement: 'warn' }, 'b'),
      policyOf({ revoked: { keys: ['22', '11'] }, enforcement: 'audit' }, 'c'),
      policyOf({ images }, 'd'),
    ]);
    expect([...revokedDigests].sort()).toEqual(['sha256:aa', 'sha256:bb']);
    expect([...revokedKeys].sort()).toEqual(['11', '22']);
    expect(of('quay.io/a')).toHaveLength(1);
  });

  test('nobody revokes anything by saying nothing', () => {
    const { revokedDigests, revokedKeys } = compileImageRequirements([policyOf({ images })]);
    expect([revokedDigests.size, revokedKeys.size]).toEqual([0, 0]);
  });
});

test('the policies of a namespace are its own and those of the root namespace, whatever they select', () => {
  const own = policyOf({ images });
  const root = policyOf({ images }, 'p', 'trellis-system');
  const other = policyOf({ images }, 'p', 'other');
  const selecting = policyOf({ revoked: { keys: [] }, selector: { matchLabels: { app: 'a' } } }, 's');
  const policies = [own, root, other, selecting];
  expect(policiesForNamespace(policies, 'trellis-system', 'shop')).toEqual([own, root, selecting]);
});
