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

const keyless = (fields: object) => ({
  authorities: [
    {
      name: 'ci',
      keyless: {
        ...fields,
        trustedRoot: { configMapRef: { name: 'a', key: 'b', sha256: 'ab'.repeat(32) } },
      },
    },
  ],
});

const byKey = {
  authorities: [
    { name: 'ci', keysets: [{ name: 'a', keys: [{ algorithm: 'ML-DSA-65', kms: 'awskms:///alias/ci' }] }] },
  ],
};

function imagePolicyWith(...rules: readonly object[]): object {
  return {
    apiVersion: 'security.quantum.io/v1',
    kind: 'QuantumSecurityPolicy',
    metadata: { name: 'p', namespace: 'shop' },
    spec: { images: rules.map((rule) => ({ match: ['**'], ...rule })) },
  };
}

describe('a rule about images', () => {
  const good = {
    ...byKey,
    match: ['registry.example/**', 'docker.io/library/nginx'],
    attestations: [{ predicateType: 'https://slsa.dev/provenance/v1', condition: 'has(predicate.a)' }],
  };

  test('that can be decided by is taken', () => {
    const patterns = keyless({ issuerRegExp: 'https://.+', subjectRegExp: 'https://git[.]example/.+@.+' });
    const { resource, issues } = parse(imagePolicyWith(good, patterns, { action: 'deny' }));
    expect(issues).toEqual([]);
    expect(resource).toMatchObject({ kind: 'QuantumSecurityPolicy' });
  });

  test.each([
    [
      'spec.images[1].match[1]: images of docker.io have a namespace; write docker.io/library/nginx',
      { ...good, match: ['**', 'docker.io/nginx'] },
    ],
    [
      'spec.images[1].authorities[0].keyless.issuerRegExp: "(" is no regular expression of RE2',
      keyless({ issuerRegExp: '(', subject: 'a' }),
    ],
    [
      'spec.images[1].authorities[0].keyless.subjectRegExp: "(?=a)" is no regular expression of RE2',
      keyless({ issuer: 'https://issuer.example', subjectRegExp: '(?=a)' }),
    ],
    [
      'spec.images[1].authorities[0].keyless.subjectRegExp: the regular expression "(a{30}){30}" compiles to',
      keyless({ issuer: 'https://issuer.example', subjectRegExp: '(a{30}){30}' }),
    ],
    [
      'spec.images[1].attestations[1].condition: there is no "predicat". Did you mean "predicate"?',
      {
        ...good,
        attestations: [{ predicateType: 'x:a' }, { predicateType: 'x:b', condition: 'predicat.a == 1' }],
      },
    ],
  ])('%s', (message, rule) => {
    const { resource, issues } = parse(imagePolicyWith(good, rule));
    expect(resource).toBeUndefined();
    expect(issues).toHaveLength(1);
    expect(issues[0]).toMatchObject({ severity: 'error', code: 'InvalidField' });
    expect(issues[0]?.message).toContain(message);
  });

  test('a glob that the schema refuses: what it should look like', () => {
    const { issues } = parse(imagePolicyWith({ match: ['nginx'], action: 'deny' }));
    expect(issues.map(({ message }) => message)).toEqual([
      'spec.images[0].match[0]: "nginx" does not have the form that is asked for: a glob over image names in lower case without tag and digest that begins with a registry or **, such as registry.example/trading/**, docker.io/library/nginx or **.',
    ]);
  });
});
