import { describe, expect, test } from 'vitest';
import type { Breach } from '../../../../src/admission/promises/breaches.ts';
import { complianceFindings } from '../../../../src/admission/promises/compliance-findings.ts';
import { requiredEncryptionFindings } from '../../../../src/admission/promises/required-encryption.ts';
import type { Policy } from '../../../../src/model/mesh.ts';

function policy(spec: Policy['spec'], name = 'base', namespace = 'trading'): Policy {
  return { namespace, name, spec };
}

const breach = (changes: Partial<Breach> = {}): Breach => ({
  ...{ code: 'privileged', field: 'spec.containers[0].securityContext.privileged', problem: 'is true' },
  ...changes,
});

describe('postQuantumEncryption: required', () => {
  const required = policy({ postQuantumEncryption: 'required' });
  const findingsOf = (policies: readonly Policy[], breaches: readonly Breach[]) =>
    requiredEncryptionFindings(policies, () => breaches, 'spec.template.');

  test('a breach is said with its place in the object, the policy, the rule and what to do', () => {
    const [finding] = findingsOf([required], [breach()]);
    expect(finding).toMatchObject({
      code: 'privileged',
      enforcement: 'enforce',
      policy: 'trading/base',
      field: 'spec.template.spec.containers[0].securityContext.privileged',
    });
    expect(finding?.message).toMatch(
      /^spec\.template\.spec\.containers\[0\]\.securityContext\.privileged is true: .*QuantumSecurityPolicy trading\/base demands postQuantumEncryption: required; remove it/,
    );
  });

  test('each policy has its own enforcement, and others than `required` say nothing', () => {
    const policies = [
      required,
      policy({ postQuantumEncryption: 'required', enforcement: 'warn' }, 'warn'),
      policy({ postQuantumEncryption: 'required', enforcement: 'audit' }, 'audit'),
      policy({ postQuantumEncryption: 'preferred' }, 'preferred'),
      policy({}, 'none'),
    ];
    const findings = findingsOf(policies, [breach()]);
    expect(findings.map(({ policy: name, enforcement }) => [name, enforcement])).toEqual([
      ['trading/base', 'enforce'],
      ['trading/warn', 'warn'],
      ['trading/audit', 'audit'],
    ]);
  });

  test('ten thousand breaches of one kind are one finding, that says how many there are', () => {
    const many = Array.from({ length: 10_000 }, (_, index) => breach({ field: `spec.containers[${index}]` }));
    const findings = findingsOf([required], [...many, breach({ code: 'capability' })]);
    expect(findings.map(({ code }) => code)).toEqual(['privileged', 'capability']);
    expect(findings[0]?.message).toContain('spec.containers[2] is true, and 9997 more like it');
    expect(findings[0]?.message.length).toBeLessThan(1_000);
  });

  test('a port that is not protected is a warning at most', () => {
    const enforcementsOf = (enforcement: 'enforce' | 'warn' | 'audit') =>
      findingsOf(
        [policy({ postQuantumEncryption: 'required', enforcement })],
        [breach({ code: 'unprotected-port' })],
      );
    expect(enforcementsOf('enforce')).toMatchObject([{ enforcement: 'warn' }]);
    expect(enforcementsOf('warn')).toMatchObject([{ enforcement: 'warn' }]);
    expect(enforcementsOf('audit')).toMatchObject([{ enforcement: 'audit' }]);
  });
});

describe('complianceLevel', () => {
  const codes = (policies: readonly Policy[]) =>
    complianceFindings(policies).map(({ code, enforcement, policy: name }) => [code, enforcement, name]);
  const meshed = policy({ postQuantumEncryption: 'required' }, 'mesh');
  const cnsa = policy({ complianceLevel: 'CNSA-2.0' }, 'cnsa');
  const bsi = policy({ complianceLevel: 'BSI-TR-02102' }, 'bsi');

  test('a level that the mesh keeps is none', () => {
    expect(codes([meshed, bsi, policy({ complianceLevel: 'FIPS-140-3-L1' }, 'fips')])).toEqual([]);
  });

  test('a level that it cannot keep, with the reason', () => {
    const findings = complianceFindings([meshed, cnsa]);
    expect(new Set(findings.map(({ code }) => code))).toEqual(new Set(['compliance-not-enforceable']));
    expect(findings[0]).toMatchObject({ enforcement: 'enforce', policy: 'trading/cnsa' });
    expect(findings[0]?.message).toMatch(/trading\/cnsa would cut the pod off .*CNSA-2\.0 cannot be kept/);
  });

  test('levels that contradict each other', () => {
    expect(codes([meshed, cnsa, bsi])).toContainEqual(['policy-conflict', 'enforce', undefined]);
  });

  test('nothing is promised to pods outside the mesh', () => {
    expect(codes([cnsa])).toEqual([]);
    expect(codes([cnsa, policy({ postQuantumEncryption: 'disabled' })])).toEqual([]);
  });

  test('what a policy that is tried out would come to', () => {
    const trying = policy({ complianceLevel: 'CNSA-2.0', enforcement: 'warn' }, 'cnsa');
    expect(codes([meshed, bsi, trying])).toContainEqual([
      'compliance-not-enforceable',
      'warn',
      'trading/cnsa',
    ]);
    expect(codes([meshed, bsi, trying]).every(([, enforcement]) => enforcement === 'warn')).toBe(true);
    const both = policy({ ...trying.spec, enforcement: 'audit', postQuantumEncryption: 'preferred' }, 'both');
    expect(codes([both])).toContainEqual(['compliance-not-enforceable', 'audit', 'trading/both']);
    // What is said as a denial is not said again as a warning.
    expect(
      codes([meshed, cnsa, policy({ enforcement: 'warn' }, 'other')]).every(([, how]) => how === 'enforce'),
    ).toBe(true);
  });
});
