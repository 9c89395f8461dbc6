// Each constraint of the QuantumSecurityPolicy schema, by a value on either side of it.

import { describe, expect, test } from 'vitest';
import { build, codes, pod, policy, stateOf } from './support.ts';

const id = 'spiffe://cluster.local/ns/trading/sa/gateway';
const pem = `"-----BEGIN PUBLIC KEY-----${'A'.repeat(80)}"`;
const hex = 'ab'.repeat(32);
const key = `{algorithm: ML-DSA-65, publicKey: ${pem}}`;
const authorities = `[{name: ci, keysets: [{name: ci-2026, keys: [${key}]}]}]`;
const rule = (to: string) => `{authorization: [{from: [{principals: ["*"]}], to: [${to}]}]}`;
const caller = (principal: string) => `{authorization: [{from: [{principals: ["${principal}"]}]}]}`;
const image = (fields: string) => `{images: [{match: ["**"], ${fields}}]}`;

/** The errors of one policy, in the namespace of one pod. */
function errors(spec: string, namespace?: string): string[] {
  const { problems } = build(pod('a'), policy(spec, namespace));
  return codes(problems.filter(({ severity }) => severity === 'error'));
}

describe('accepted', () => {
  test.each([
    '{}',
    '{enforcement: audit, postQuantumEncryption: preferred, quantumAuthentication: hybrid, biometricVerification: optional}',
    '{complianceLevel: FIPS-140-2-L3+}',
    '{selector: {matchLabels: {app: a}, matchExpressions: [{key: app, operator: In, values: [a]}, {key: x, operator: DoesNotExist}]}}',
    '{postQuantumEncryption: required}',
    '{selector: {matchLabels: {app: a}}, postQuantumEncryption: preferred}',
    '{authorization: []}',
    caller(id),
    caller('spiffe://cluster.local/ns/trading/*'),
    caller('spiffe://cluster.local/*'),
    rule('{ports: [1, 65535]}'),
    ...[
      '/',
      '/orders',
      '/orders/',
      '/orders/**',
      '/**',
      '/*/x',
      '/a*b',
      '/*.json',
      '/.well-known/x',
      '/a.b/c..d',
      '/**/x',
    ].map((path) => rule(`{methods: [GET], paths: ["${path}"]}`)),
    `{exceptions: [{host: api.example.com, postQuantumEncryption: preferred, reason: partner}]}`,
    `{revoked: {digests: ["sha256:${hex}"], keys: ["${hex}"]}}`,
    image(`authorities: ${authorities}`),
    image(
      `action: verify, authorities: ${authorities}, bindReference: none, attestations: [{predicateType: "https://slsa.dev/provenance/v1", condition: "true"}]`,
    ),
    image('action: deny'),
    image(
      `authorities: [{name: ci, threshold: 2, keysets: [{name: a, notAfter: 2027-03-01T00:00:00Z, keys: [${key}]}, {name: b, keys: [${key}]}]}]`,
    ),
    image(
      `authorities: [{name: ci, keyless: {issuer: "https://issuer.example", subject: a, trustedRoot: {configMapRef: {name: a, key: b, sha256: "${hex}"}}}}]`,
    ),
    image(
      `authorities: [{name: ci, keysets: [{name: a, keys: [{algorithm: ECDSA-P256, kms: "awskms:///alias/ci"}, {algorithm: ML-DSA-87, configMapRef: {name: a, key: b, spkiSha256: "${hex}"}}]}]}]`,
    ),
  ])('%s', (spec) => {
    expect(errors(spec)).toEqual([]);
  });
});

describe('refused', () => {
  test.each([
    // one value outside each constraint
    ['InvalidField', '{enforcement: enforced}'],
    ['InvalidField', '{postQuantumEncryption: require}'],
    ['InvalidField', '{quantumAuthentication: required}'],
    ['InvalidField', '{biometricVerification: required}'],
    ['InvalidField', '{complianceLevel: FIPS-140-3-L4}'],
    ['InvalidField', '{postQuantumEncryption: }'],
    ['InvalidField', '{selector: {}}'],
    ['InvalidField', '{selector: {matchLabels: {}}}'],
    ['InvalidField', '{selector: {matchLabels: {app: 1}}}'],
    ['InvalidField', '{selector: {matchExpressions: [{key: a, operator: Is, values: [a]}]}}'],
    ['RuleViolated', '{selector: {matchExpressions: [{key: a, operator: In}]}}'],
    ['RuleViolated', '{selector: {matchExpressions: [{key: a, operator: Exists, values: [a]}]}}'],
    ['RuleViolated', '{selector: {matchLabels: {app: a}}, postQuantumEncryption: required}'],
    ['RuleViolated', '{selector: {matchLabels: {app: a}}, images: [{match: ["**"], action: deny}]}'],
    ['MissingField', '{authorization: [{}]}'],
    ['MissingField', '{authorization: [{from: [{}]}]}'],
    ['InvalidField', '{authorization: [{from: []}]}'],
    ['InvalidField', '{authorization: [{from: [{principals: []}]}]}'],
    ...[
      '**',
      '*/x',
      'gateway',
      'spiffe://',
      'spiffe://cluster.local',
      'spiffe://Cluster/ns',
      `${id}/`,
      `${id}*`,
      'spiffe://td/../x',
      'spiffe://td/./x',
      'spiffe://td//x',
      `${id}?a`,
      `https://td/x`,
      `${id}\\n`,
    ].map((principal): [string, string] => ['InvalidField', caller(principal)]),
    ['InvalidField', rule('{}')],
    ['InvalidField', rule('{ports: []}')],
    ['InvalidField', rule('{ports: [0]}')],
    ['InvalidField', rule('{ports: [65536]}')],
    ['InvalidField', rule('{ports: [1.5]}')],
    ['InvalidField', rule('{ports: ["80"]}')],
    ['InvalidField', rule('{methods: [CONNECT]}')],
    ['InvalidField', rule('{methods: [get]}')],
    ...[
      '',
      'orders',
      '//',
      '/a//b',
      '/.',
      '/..',
      '/a/../b',
      '/a/./b',
      '/a**',
      '/**a',
      '/***',
      '/a?b',
      '/a#b',
      '/%2f',
      '/a b',
      '/é',
    ].map((path): [string, string] => ['InvalidField', rule(`{paths: ["${path}"]}`)]),
    ['MissingField', '{exceptions: [{host: a.example, postQuantumEncryption: preferred}]}'],
    ['InvalidField', '{exceptions: [{host: a.example, postQuantumEncryption: required, reason: x}]}'],
    ...['*.example', 'A.example', 'a.example.', 'a..b', '-a', 'a_b', 'a/b'].map((host): [string, string] => [
      'InvalidField',
      `{exceptions: [{host: "${host}", postQuantumEncryption: disabled, reason: x}]}`,
    ]),
    ['InvalidField', '{revoked: {}}'],
    ['InvalidField', '{revoked: {digests: ["sha256:abc"]}}'],
    ['InvalidField', `{revoked: {keys: ["${hex.toUpperCase()}"]}}`],
    ['InvalidField', '{images: []}'],
    ['InvalidField', '{images: [{match: [], action: deny}]}'],
    ['RuleViolated', image('')],
    ['RuleViolated', image(`action: allow, authorities: ${authorities}`)],
    ['RuleViolated', image('action: deny, bindReference: none')],
    ['RuleViolated', image('action: deny, attestations: [{predicateType: x}]')],
    ['RuleViolated', image('authorities: [{name: ci}]')],
    ['RuleViolated', image(`authorities: [{name: ci, threshold: 2, keysets: [{name: a, keys: [${key}]}]}]`)],
    ['InvalidField', image(`authorities: [{name: ci, threshold: 0, keysets: [{name: a, keys: [${key}]}]}]`)],
    [
      'RuleViolated',
      image('authorities: [{name: ci, keysets: [{name: a, keys: [{algorithm: ML-DSA-65}]}]}]'),
    ],
    [
      'RuleViolated',
      image(
        `authorities: [{name: ci, keysets: [{name: a, keys: [{algorithm: ML-DSA-65, kms: "a://b", publicKey: ${pem}}]}]}]`,
      ),
    ],
    ['InvalidField', image(`authorities: [{name: ci, keysets: [{name: a, keys: [${key}, ${key}]}]}]`)],
    [
      'InvalidField',
      image(`authorities: [{name: ci, keysets: [{name: a, notAfter: tomorrow, keys: [${key}]}]}]`),
    ],
    [
      'InvalidField',
      image(`authorities: [{name: ci, keysets: [{name: a, keys: [{algorithm: RSA, publicKey: ${pem}}]}]}]`),
    ],
  ])('%s %s', (code, spec) => {
    expect(errors(spec)).toContain(`error ${code}`);
  });

  test('two authorities of one name', () => {
    const ci = `{name: ci, keysets: [{name: a, keys: [${key}]}]}`;
    expect(errors(image(`authorities: [${ci}, ${ci}]`))).toEqual(['error InvalidField']);
  });

  test('quarantine, outside the root namespace only', () => {
    expect(errors(`{quarantine: ["${id}"]}`)).toEqual(['error RootNamespaceOnly']);
    expect(errors('{quarantine: []}')).toEqual(['error RootNamespaceOnly']);
    expect(errors(`{quarantine: ["${id}"]}`, 'trellis-system')).toEqual([]);
    expect(errors(`{quarantine: ["spiffe://cluster.local/ns/*"]}`, 'trellis-system')).toEqual([
      'error InvalidField',
    ]);
  });
});

describe('messages', () => {
  const messages = (spec: string) => build(pod('a'), policy(spec)).problems.map((problem) => problem.message);

  test('an unknown field is named by its path, with the likely meaning', () => {
    expect(messages('{postQuantumEncrytion: required}')).toEqual([
      'spec.postQuantumEncrytion: unknown field; did you mean postQuantumEncryption?',
    ]);
    expect(messages('{authorization: [{from: [{principals: ["*"], principal: x}]}]}')).toEqual([
      'spec.authorization[0].from[0].principal: unknown field; did you mean principals?',
    ]);
  });

  test('an unknown field that resembles nothing: what there is', () => {
    expect(messages('{revoked: {digests: [], certificates: []}}')).toEqual([
      'spec.revoked.certificates: unknown field; the fields here are digests, keys',
    ]);
  });

  test('fields of planned features are unknown, not ignored', () => {
    expect(
      messages('{exceptions: [{port: 9090, host: a, postQuantumEncryption: disabled, reason: x}]}')[0],
    ).toContain('spec.exceptions[0].port: unknown field');
  });

  test('a wrong value: what would be right', () => {
    expect(messages('{enforcement: enforced}')).toEqual([
      'spec.enforcement: "enforced" is not one of enforce, warn, audit',
    ]);
    expect(messages(rule('{ports: [70000]}'))).toEqual([
      'spec.authorization[0].to[0].ports[0]: 70000 is out of range; it must be <= 65535',
    ]);
    expect(messages('{quantumAuthentication: }')).toEqual([
      'spec.quantumAuthentication: has no value; remove the field or give it one',
    ]);
  });

  test('values are escaped and shortened', () => {
    const [message] = messages(`{enforcement: "\\e[31m${'x'.repeat(10_000)}"}`);
    expect(message).not.toContain('\u001b');
    expect(message?.length).toBeLessThan(250);
  });

  test('an object with very many mistakes is not listed endlessly', () => {
    const many = Array.from({ length: 500 }, (_, index) => `{ports: [${70_000 + index}]}`).join(', ');
    const found = messages(rule(many));
    expect(found).toHaveLength(21);
    expect(found).toContain('there are more problems in this object; mend these first');
  });

  test('fields beside spec are refused too; status is the control plane’s and ignored', () => {
    const text = `${policy('{}')}status: {anything: 1}\nspecs: {}\n`;
    expect(build(pod('a'), text).problems.map((problem) => problem.message)).toEqual([
      '"specs": unknown field beside metadata and spec; did you mean to write it under spec?',
    ]);
  });

  test('a missing spec', () => {
    const { problems } = build('{apiVersion: quantum.io/v1, kind: QuantumService, metadata: {name: a}}');
    expect(codes(problems)).toEqual(['error MissingField']);
  });
});

test('the default is filled in, the spec frozen, and what was read left as it was', () => {
  const state = stateOf(pod('a'), policy('{authorization: []}'));
  const spec = state.policies.get('trading/policy')?.spec;
  expect(spec).toEqual({ authorization: [], enforcement: 'enforce' });
  expect(Object.isFrozen(spec)).toBe(true);
  expect(Object.isFrozen(spec?.authorization)).toBe(true);
});
