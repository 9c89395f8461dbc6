import { beforeAll, describe, expect, test } from 'vitest';
import type { AuthorizerOptions } from '../../../src/authz/authorizer.ts';
import { maxCheckRequestBytes } from '../../../src/authz/check-request.ts';
import { toPem } from '../../../src/crypto/pem.ts';
import { status } from '../../../src/grpc/status.ts';
import { compileAuthorization } from '../../../src/policy/authorize/compile.ts';
import type { AuthorizationPolicy } from '../../../src/policy/authorize/policy.ts';
import type { AuthorizationRule } from '../../../src/policy/effective.ts';
import { asker, type Check, checkBytes } from '../../support/authz/checks.ts';
import { at, hour, makeLeaf, makeRoot, now, trustDomain } from '../crypto/support/fixtures.ts';
import { now as mintedAt } from '../identity/support/storage.ts';
import { mint, subject, keys as tokenKeys } from '../identity/tokens/support.ts';

const anyone = [{ principals: ['*'] }];
const workload = 'spiffe://mesh.example/ns/shop/sa/server';

function compiled(rules: readonly AuthorizationRule[], change: Partial<AuthorizationPolicy> = {}) {
  return compileAuthorization({
    workload,
    requirements: [{ policy: 'shop/orders', rules }],
    shadowRequirements: [],
    hybridPolicies: [],
    quarantined: [],
    ...change,
  });
}

/** Asks under these rules; tells answers and what was reported. */
function under(
  rules: readonly AuthorizationRule[],
  change: Partial<AuthorizationPolicy> = {},
  options: Partial<AuthorizerOptions> = {},
) {
  const reported: string[] = [];
  const policy = compiled(rules, change);
  const ask = asker({
    policy: () => policy,
    onDecision: (result, cause) => reported.push(`${result} ${cause}`),
    ...options,
  });
  return { ask: (check: Check) => ask(checkBytes(check)), reported };
}

describe('a request', () => {
  test('is allowed in as few bytes as that takes', () => {
    const { ask, reported } = under([{ from: anyone }]);
    expect(ask({})).toEqual({ result: 'allowed' });
    expect(reported).toEqual(['allowed none']);
  });

  test('is denied with the reason in the metadata', () => {
    const { ask, reported } = under([{ from: anyone, condition: "request.headers['x-a'] == '1'" }]);
    expect(ask({ headers: [['x-a', '1']] })).toEqual({ result: 'allowed' });
    expect(ask({ headers: [['x-a', '2']] })).toEqual({
      result: 'denied',
      denied: 'deny:shop/orders:rule-0:condition-false',
    });
    expect(
      ask({
        headers: [
          ['x-a', '1'],
          ['x-a', '1'],
        ],
      }),
    ).toMatchObject({ denied: 'deny:shop/orders:rule-0:duplicate-header' });
    expect(reported).toEqual(['allowed none', 'denied condition-false', 'denied duplicate-header']);
  });

  test('carries what policies in audit have against it, allowed or not', () => {
    const shadowRequirements = [{ policy: 'shop/watch' as const, rules: [] }];
    expect(under([{ from: anyone }], { shadowRequirements }).ask({})).toEqual({
      result: 'allowed',
      audit: 'deny:shop/watch',
    });
    expect(under([], { shadowRequirements }).ask({})).toEqual({
      result: 'denied',
      denied: 'deny:shop/orders',
      audit: 'deny:shop/watch',
    });
  });

  test('is denied while nothing has been heard of a policy', () => {
    const reported: string[] = [];
    const ask = asker({ onDecision: (result, cause) => reported.push(`${result} ${cause}`) });
    // Which Envoy answers with 503: nobody has said no.
    expect(ask(checkBytes())).toEqual({ result: status.unavailable });
    expect(ask(checkBytes({ connection: true }))).toEqual({ result: status.unavailable });
    expect(reported).toEqual(['failed policy-unknown', 'failed policy-unknown']);
  });

  test('is decided by the policy that is in force when it comes', () => {
    let policy = compiled([{ from: anyone }]);
    const ask = asker({ policy: () => policy });
    expect(ask(checkBytes()).result).toBe('allowed');
    policy = compiled([]);
    expect(ask(checkBytes()).result).toBe('denied');
  });
});

describe('what is no check', () => {
  test.each<[string, Uint8Array, number, string]>([
    [
      'bytes of something else',
      Buffer.from('ff00', 'hex'),
      status.invalidArgument,
      'failed request-malformed',
    ],
    [
      'too many bytes',
      new Uint8Array(maxCheckRequestBytes + 1),
      status.resourceExhausted,
      'failed request-too-large',
    ],
    ['no port', checkBytes({ portText: '' }), status.invalidArgument, 'failed request-malformed'],
    ['no real port', checkBytes({ portText: '65536' }), status.invalidArgument, 'failed request-malformed'],
    [
      'a port in words',
      checkBytes({ portText: '8080 ' }),
      status.invalidArgument,
      'failed request-malformed',
    ],
    [
      'a name as long as no SPIFFE ID',
      checkBytes({ principal: 'a'.repeat(2049) }),
      status.resourceExhausted,
      'failed request-too-large',
    ],
    [
      'a certificate as long as none',
      checkBytes({ certificate: 'a'.repeat(65 * 1024) }),
      status.resourceExhausted,
      'failed request-too-large',
    ],
    [
      'more headers than Envoy takes',
      checkBytes({ headers: Array.from({ length: 1025 }, () => ['x', ''] as const) }),
      status.resourceExhausted,
      'failed request-too-large',
    ],
  ])('%s: an error, which Envoy takes for no', (_name, bytes, code, report) => {
    const reported: string[] = [];
    const policy = compiled([
      { from: anyone, to: [{ ports: [8080] }], condition: "!('x-a' in request.headers)" },
    ]);
    const ask = asker({
      policy: () => policy,
      onDecision: (result, cause) => reported.push(`${result} ${cause}`),
    });
    expect(ask(bytes)).toEqual({ result: code });
    expect(reported).toEqual([report]);
  });

  test('an empty message is a connection without a certificate', () => {
    expect(asker({ policy: () => compiled([{ from: anyone }]) })(new Uint8Array())).toMatchObject({
      result: 'denied',
    });
  });
});

test('whatever goes wrong, the answer is not yes', () => {
  const policy = compiled([{ from: anyone, token: {} }]);
  const boom = new Error('boom');
  const fail = () => {
    throw boom;
  };
  for (const options of [
    { policy: fail },
    { now: fail },
    { tokenKeys: fail },
  ] satisfies Partial<AuthorizerOptions>[]) {
    const errors: unknown[] = [];
    const reported: string[] = [];
    const ask = asker({
      policy: () => policy,
      onError: (error) => errors.push(error),
      onDecision: (result, cause) => reported.push(`${result} ${cause}`),
      ...options,
    });
    expect(ask(checkBytes({ headers: [['authorization', 'Bearer x']] }))).toEqual({
      result: status.internal,
    });
    expect(errors).toEqual([boom]);
    expect(reported).toEqual(['failed internal']);
  }
});

describe('a token', () => {
  test('is verified with the keys of the trust domain', () => {
    const { token } = mint('ML-DSA');
    const { ask } = under(
      [{ from: anyone, token: {} }],
      {},
      { tokenKeys: () => tokenKeys, now: () => mintedAt },
    );
    const asked = (value: string): Check => ({ principal: subject, headers: [['authorization', value]] });
    expect(ask(asked(`Bearer ${token}`))).toEqual({ result: 'allowed' });
    expect(ask(asked(`Bearer ${token}x`))).toMatchObject({
      denied: expect.stringMatching(/:token-(malformed|signature)$/),
    });
    expect(ask(asked(`Bearer ${mint('JWT-SVID').token}`))).toMatchObject({
      denied: 'deny:shop/orders:rule-0:token-type',
    });
    expect(ask({ ...asked(`Bearer ${token}`), principal: workload })).toMatchObject({
      denied: 'deny:shop/orders:rule-0:token-subject',
    });
    expect(ask({ principal: subject })).toMatchObject({ denied: 'deny:shop/orders:rule-0:token-missing' });
  });

  test('is not while there are no keys', () => {
    const { ask } = under([{ from: anyone, token: {} }]);
    expect(ask({ headers: [['authorization', 'Bearer a.b.c']] })).toMatchObject({
      denied: 'deny:shop/orders:rule-0:token-unknown-key',
    });
  });
});

describe('where a policy says hybrid', () => {
  const root = makeRoot();
  const stranger = makeRoot({ name: 'stranger' });
  const spiffeId = 'spiffe://mesh.example/ns/shop/sa/cart';
  let good: string;
  let foreign: string;
  beforeAll(() => {
    good = toPem('CERTIFICATE', makeLeaf(root, { spiffeId }).certificate.der);
    foreign = toPem('CERTIFICATE', makeLeaf(stranger, { spiffeId }).certificate.der);
  });
  const anchors = [root.certificate];
  const hybrid = (options: Partial<AuthorizerOptions> = {}) =>
    under(
      [{ from: anyone }],
      { hybridPolicies: ['shop/a', 'trellis/b'] },
      { anchors: () => anchors, now: () => now, trustDomain, ...options },
    );

  test('a connection needs a counter-signed certificate', () => {
    const { ask, reported } = hybrid();
    expect(ask({ connection: true, certificate: good })).toEqual({ result: 'allowed' });
    expect(ask({ connection: true })).toEqual({
      result: 'denied',
      denied: 'deny:shop/a+trellis/b:counter-signature-missing',
    });
    expect(ask({ connection: true, certificate: foreign })).toEqual({
      result: 'denied',
      denied: 'deny:shop/a+trellis/b:counter-signature-invalid',
    });
    expect(reported).toEqual([
      'allowed none',
      'denied counter-signature-missing',
      'denied counter-signature-invalid',
    ]);
  });

  test('so does a request that brings the certificate of its connection, or has none to bring', () => {
    const { ask } = hybrid();
    expect(ask({ certificate: good })).toEqual({ result: 'allowed' });
    expect(ask({ certificate: foreign })).toMatchObject({
      denied: 'deny:shop/a+trellis/b:counter-signature-invalid',
    });
    expect(ask({ principal: '' })).toMatchObject({
      denied: 'deny:shop/a+trellis/b:counter-signature-missing',
    });
  });

  test('and the policies are asked as well', () => {
    const { ask } = under(
      [],
      { hybridPolicies: ['shop/a'] },
      { anchors: () => anchors, now: () => now, trustDomain },
    );
    expect(ask({ certificate: good })).toMatchObject({ denied: 'deny:shop/orders' });
  });

  test('a connection from before the edit is judged like any other, under the name of the mesh', () => {
    const { ask } = under(
      [{ from: anyone }],
      {},
      { anchors: () => anchors, now: () => at(2 * hour), trustDomain },
    );
    expect(ask({ connection: true, certificate: good })).toEqual({
      result: 'denied',
      denied: 'deny:mesh-default:counter-signature-invalid',
    });
  });
});
