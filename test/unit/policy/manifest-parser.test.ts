import { describe, expect, test } from 'vitest';
import { createMeshManifestParser } from '../../../src/policy/manifest-parser.ts';
import { readCustomResourceDefinitions } from '../../../src/sources/crds.ts';

const parse = createMeshManifestParser(await readCustomResourceDefinitions());

function policyWith(...rules: readonly object[]): object {
  return {
    apiVersion: 'security.quantum.io/v1',
    kind: 'QuantumSecurityPolicy',
    metadata: { name: 'p', namespace: 'shop' },
    spec: { authorization: rules.map((rule) => ({ from: [{ principals: ['*'] }], ...rule })) },
  };
}

describe('a condition of a policy', () => {
  test('that can be decided by is taken', () => {
    const { resource, issues } = parse(policyWith({ condition: "request.method == 'GET'" }, {}));
    expect(issues).toEqual([]);
    expect(resource).toMatchObject({ kind: 'QuantumSecurityPolicy' });
  });

  test.each([
    ['is no expression', "request.method == 'GET"],
    ['reads what there is not', "request.pth == '/'"],
    ['reads a token that the rule does not ask for', "token.subject == 'x'"],
  ])('that %s is an error of the manifest, at its place', (_, condition) => {
    const { resource, issues } = parse(policyWith({}, { condition }));
    expect(resource).toBeUndefined();
    expect(issues).toHaveLength(1);
    expect(issues[0]).toMatchObject({
      severity: 'error',
      path: ['spec', 'authorization', 1, 'condition'],
      message: expect.stringMatching(/^spec\.authorization\[1\]\.condition: ./),
    });
  });

  test('is not quoted with characters that could falsify a line', () => {
    const { issues } = parse(policyWith({ condition: '\u0007\u202erequest' }));
    expect(issues[0]?.message).toContain('\\u0007');
    expect(issues[0]?.message).not.toMatch(/[\p{Cc}\u202e]/u);
  });

  test('may read a token where the rule asks for one', () => {
    const { issues } = parse(policyWith({ token: {}, condition: "token.subject == 'spiffe://a/b'" }));
    expect(issues).toEqual([]);
  });
});
