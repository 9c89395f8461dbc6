import { describe, expect, test } from 'vitest';
import { authorize } from '../../../../src/policy/authorize/authorize.ts';
import { compileAuthorization, maxRememberedCallers } from '../../../../src/policy/authorize/compile.ts';
import { anyone, caller, decide, goodToken, now, outcome, policyOf, requestOf, workload } from './support.ts';

const other = 'spiffe://mesh/ns/shop/sa/other';

describe('who', () => {
  test.each([
    ['*', caller, true],
    ['*', '', false],
    ['', '', false],
    [caller, caller, true],
    [caller, `${caller}2`, false],
    ['spiffe://mesh/ns/shop/*', caller, true],
    ['spiffe://mesh/ns/shop/*', 'spiffe://mesh/ns/shopping/sa/cart', false],
    ['spiffe://mesh/ns/shop/*', 'spiffe://mesh/ns/shop', false],
  ])('%s and %j: %s', (pattern, principal, allowed) => {
    expect(decide([{ from: [{ principals: [pattern] }] }], { principal }).allowed).toBe(allowed);
  });
});

test('callers are remembered within bounds', () => {
  const [requirement] = compileAuthorization(policyOf([{ from: anyone }])).requirements;
  for (let i = 0; i < 3 * maxRememberedCallers; i++) requirement?.rulesFor(`${caller}${i}`);
  expect(requirement?.rememberedCallers).toBeLessThanOrEqual(maxRememberedCallers);
  expect(requirement?.rulesFor(caller)).toHaveLength(1);
});

describe('what', () => {
  test('every field of an operation must match, one operation is enough', () => {
    const to = [
      { ports: [8080], methods: ['GET' as const], paths: ['/a'] },
      { ports: [9090], paths: ['/b/**'] },
    ];
    const ask = (port: number, method: string, path: string) =>
      decide([{ from: anyone, to }], { port, method, path }).allowed;
    expect(ask(8080, 'GET', '/a?x=1')).toBe(true);
    expect(ask(9090, 'GET', '/a')).toBe(false);
    expect(ask(8080, 'POST', '/a')).toBe(false);
    expect(ask(8080, 'GET', '/b/c')).toBe(false);
    expect(ask(9090, 'POST', '/b/c')).toBe(true);
  });

  test('TCP has no method, no path, no token and no condition', () => {
    const tcp = { method: 'CONNECT', path: '' };
    expect(outcome([{ from: anyone, to: [{ ports: [8080] }] }], tcp)).toBe('allowed');
    // As a glob, `/**` matches the empty path of a CONNECT.
    expect(outcome([{ from: anyone, to: [{ paths: ['/**'] }] }], tcp)).toBe('deny:shop/orders');
    expect(outcome([{ from: anyone, to: [{ methods: ['GET'] }] }], tcp)).toBe('deny:shop/orders');
    expect(outcome([{ from: anyone, token: {} }], { ...tcp, headers: { authorization: 'Bearer x' } })).toBe(
      'deny:shop/orders',
    );
    expect(outcome([{ from: anyone, condition: 'true' }], tcp)).toBe('deny:shop/orders');
  });
});

describe('which policy', () => {
  const compiled = compileAuthorization({
    ...policyOf([]),
    requirements: [
      { policy: 'a/first', rules: [{ from: anyone }] },
      {
        policy: 'b/second',
        rules: [{ from: [{ principals: [other] }] }, { from: anyone, condition: 'false' }],
      },
      { policy: 'c/third', rules: [] },
    ],
    shadowRequirements: [
      { policy: 'd/watch', rules: [] },
      { policy: 'e/watch', rules: [{ from: anyone }] },
    ],
  });

  test('every one must allow; the first that does not is named, with the rule that came closest', () => {
    expect(authorize(compiled, requestOf(), () => goodToken, now)).toMatchObject({
      allowed: false,
      denial: { policy: 'b/second', rule: 1, cause: 'condition-false' },
      shadow: [{ policy: 'd/watch', rule: undefined, cause: 'no-rule' }],
    });
  });

  test('the rules that allowed are named too, those without a condition before those with one', () => {
    const rules = [
      { from: anyone, condition: 'true' },
      { from: [{ principals: [other] }] },
      { from: anyone },
    ];
    expect(decide(rules)).toMatchObject({ allowed: true, matched: [{ policy: 'shop/orders', rule: 2 }] });
  });

  test('no policy with rules: everything is allowed; one without any: nothing', () => {
    expect(
      authorize(
        compileAuthorization({ ...policyOf([]), requirements: [] }),
        requestOf(),
        () => goodToken,
        now,
      ).allowed,
    ).toBe(true);
    expect(outcome([])).toBe('deny:shop/orders');
  });
});

describe('a token', () => {
  const authorization = 'Bearer token';
  const withToken = (token: object) => [{ from: anyone, token }];

  test('of the caller itself, for this workload and post-quantum, where the rule says no more', () => {
    const asked = { headers: { authorization } };
    expect(outcome(withToken({}), asked)).toBe('allowed');
    expect(outcome(withToken({}), asked, { token: { ...goodToken, type: 'JWT-SVID' } })).toBe(
      'deny:shop/orders:rule-0:token-type',
    );
    expect(outcome(withToken({}), asked, { token: { ...goodToken, subject: other } })).toBe(
      'deny:shop/orders:rule-0:token-subject',
    );
    expect(outcome(withToken({}), asked, { token: { ...goodToken, audience: other } })).toBe(
      'deny:shop/orders:rule-0:token-audience',
    );
  });

  test('as the rule says', () => {
    const rules = withToken({
      types: ['JWT-SVID'],
      audiences: ['payments'],
      subjects: ['spiffe://mesh/ns/shop/*'],
    });
    const asked = { headers: { authorization } };
    const token = { ...goodToken, type: 'JWT-SVID' as const, audience: 'payments', subject: other };
    expect(outcome(rules, asked, { token })).toBe('allowed');
    expect(outcome(rules, asked, { token: { ...token, type: 'ML-DSA' } })).toContain('token-type');
    expect(outcome(rules, asked, { token: { ...token, audience: workload } })).toContain('token-audience');
    expect(outcome(rules, asked, { token: { ...token, subject: 'spiffe://mesh/ns/bank/sa/x' } })).toContain(
      'token-subject',
    );
  });

  test.each([
    [[], 'token-missing'],
    [['Basic token'], 'token-missing'],
    [['Bearer'], 'token-missing'],
    [['Bearertoken'], 'token-missing'],
    [['bEARER   token'], undefined],
    [['Bearer token', 'Bearer token'], 'duplicate-header'],
  ])('in Authorization %j: %s', (values, cause) => {
    const expected = cause === undefined ? 'allowed' : `deny:shop/orders:rule-0:${cause}`;
    expect(outcome(withToken({}), { headers: { authorization: values } })).toBe(expected);
  });

  test('of somebody in quarantine is refused, whoever shows it', () => {
    const rules = [{ from: anyone, token: { subjects: ['*'] } }];
    const compiled = compileAuthorization({ ...policyOf(rules), quarantined: [other] });
    const asked = requestOf({ headers: { authorization } });
    const decideOf = (subject: string) => authorize(compiled, asked, () => ({ ...goodToken, subject }), now);
    expect(decideOf(caller)).toMatchObject({ allowed: true });
    expect(decideOf(other)).toMatchObject({ allowed: false, denial: { cause: 'token-quarantined' } });
  });

  test('that does not verify is named by what is wrong with it', () => {
    expect(outcome(withToken({}), { headers: { authorization } }, { token: 'token-expired' })).toBe(
      'deny:shop/orders:rule-0:token-expired',
    );
  });

  test('is verified once, and only when everything cheaper has been asked', () => {
    let verified = 0;
    const verify = () => {
      verified += 1;
      return { ...goodToken, subject: other };
    };
    const ask = (rules: Parameters<typeof policyOf>[0]) =>
      authorize(
        compileAuthorization(policyOf(rules)),
        requestOf({ headers: { authorization } }),
        verify,
        now,
      );
    ask([
      { from: anyone, token: {} },
      { from: anyone, token: {} },
    ]);
    expect(verified).toBe(1);
    ask([
      { from: [{ principals: [other] }], token: {} },
      { from: anyone, to: [{ ports: [1] }], token: {} },
      { from: anyone, condition: 'false', token: {} },
    ]);
    expect(verified).toBe(1);
    ask([{ from: anyone, token: {} }, { from: anyone }]);
    expect(verified).toBe(1);
  });
});
