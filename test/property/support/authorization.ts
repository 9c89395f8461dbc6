// Policies, tokens and requests for the properties of authorization: few names, so that rules meet requests.

import fc from 'fast-check';
import type { TokenFailure } from '../../../src/policy/authorize/decision.ts';
import type { AuthorizationPolicy } from '../../../src/policy/authorize/policy.ts';
import type { AuthorizationRequirement, AuthorizationRule } from '../../../src/policy/effective.ts';
import type { ConditionFacts, PlainRequest, PlainToken } from '../../support/authz/reference.ts';

const workload = 'spiffe://mesh/ns/shop/sa/orders';
const callers = [
  'spiffe://mesh/ns/shop/sa/cart',
  'spiffe://mesh/ns/shop/sa/cart2',
  'spiffe://mesh/ns/bank/sa/cart',
  'spiffe://other/ns/shop/sa/cart',
  'spiffe://mesh/ns/shop',
  '',
] as const;
const patterns = [
  '*',
  'spiffe://mesh/*',
  'spiffe://mesh/ns/shop/*',
  'spiffe://mesh/ns/shop/sa/*',
  'spiffe://mesh/ns/shop/sa/cart',
  'spiffe://mesh/ns/bank/sa/cart',
  'spiffe://other/*',
] as const;
const globs = ['/', '/**', '/a', '/a/*', '/a/**', '/a/**/z', '/*/b*', '/a;v=*/b', '/a*z/**'] as const;
const paths = [
  '/',
  '/a',
  '/a/',
  '/a/b',
  '/a/b/z',
  '/a/z',
  '/x/bz',
  '/a;v=1/b',
  '/a;/b',
  '/a/..;/z',
  '/az/q',
  '',
] as const;

export const now = new Date('2026-03-04T10:30:00Z');
export const tokens = new Map<string, PlainToken | TokenFailure>([
  [
    'own',
    {
      type: 'ML-DSA',
      subject: callers[0],
      audience: workload,
      claims: { role: 'admin', groups: ['a', 'b'] },
    },
  ],
  ['jwt', { type: 'JWT-SVID', subject: callers[0], audience: workload, claims: { role: 'user' } }],
  ['other', { type: 'ML-DSA', subject: callers[2], audience: workload, claims: {} }],
  [
    'elsewhere',
    {
      type: 'ML-DSA',
      subject: callers[0],
      audience: 'spiffe://mesh/ns/shop/sa/else',
      claims: { groups: [] },
    },
  ],
  ['old', 'token-expired'],
  ['forged', 'token-signature'],
]);

/** Conditions, with what they read. Errors of every kind are among them: absent headers, wrong types, numbers too large. */
const conditions: Readonly<Record<string, Partial<ConditionFacts>>> = {
  true: {},
  "request.headers['x-a'] == '1'": { headers: ['x-a'] },
  "request.headers['x-a'] != '1'": { headers: ['x-a'] },
  "!('x-a' in request.headers) || request.headers['x-b'] == '2'": { headers: ['x-a', 'x-b'] },
  'has(request.headers.cookie)': { headers: ['cookie'] },
  "request.headers['x-a'] == '1' || request.headers['x-b'] == '2'": { headers: ['x-a', 'x-b'] },
  // The empty text aside, which the library alone takes for a number.
  'request.headers["x-a"] != "" && int(request.headers["x-a"]) + 9223372036854775806 > 0': {
    headers: ['x-a'],
  },
  "source.namespace == 'shop' && source.serviceAccount.startsWith('cart')": {},
  "source.principal.endsWith('/cart')": {},
  'destination.port in [8080, 9090]': {},
  "request.method == 'GET' ? request.path.startsWith('/a') : request.query == 'q=1'": {},
  "request.path.matches('^/a(/[a-z]+)*$')": {},
  "request.host == 'shop.example'": {},
  "request.host in ['shop.example', 'shop.example:8080']": {},
  "['a', 'b'].exists(x, request.path == '/' + x)": {},
  "now.getHours() < 12 && now >= timestamp('2026-01-01T00:00:00Z')": {},
  'size(request.query) < 4': {},
  "token.claims.role == 'admin'": { token: true },
  "'b' in token.claims.groups": { token: true },
  "has(token.claims.role) && token.claims.role != 'admin'": { token: true },
  "token.type == 'ML-DSA' && token.subject == source.principal && token.audience.startsWith('spiffe://')": {
    token: true,
  },
  "token.claims.groups.all(g, g in ['a', 'b', 'c']) && request.headers['x-a'] == '1'": {
    token: true,
    headers: ['x-a'],
  },
};
export const facts = (condition: string): ConditionFacts => ({
  headers: [],
  token: false,
  ...conditions[condition],
});

const some = <T>(values: readonly T[], maxLength = 2) =>
  fc.array(fc.constantFrom(...values), { minLength: 1, maxLength });

const operation = fc.record(
  {
    ports: some([8080, 9090, 1]),
    methods: some(['GET', 'POST'] as const),
    paths: some(globs),
  },
  { requiredKeys: [] },
);
const token = fc.record(
  {
    types: some(['ML-DSA', 'JWT-SVID'] as const),
    audiences: some([workload, 'spiffe://mesh/ns/shop/sa/else']),
    subjects: some(patterns),
  },
  { requiredKeys: [] },
);
const rule: fc.Arbitrary<AuthorizationRule> = fc
  .record(
    {
      from: fc.array(fc.record({ principals: some(patterns) }), { minLength: 1, maxLength: 2 }),
      to: fc.array(operation, { minLength: 1, maxLength: 2 }),
      token,
      condition: fc.constantFrom(...Object.keys(conditions)),
    },
    { requiredKeys: ['from'] },
  )
  // What is refused when a policy is compiled.
  .filter((each) => each.condition === undefined || each.token !== undefined || !facts(each.condition).token);

export const requirements = fc
  .uniqueArray(fc.constantFrom('a/one', 'b/two', 'c/three'), { maxLength: 2 })
  .chain((names) =>
    fc.tuple(
      ...names.sort().map((policy) =>
        fc.record({
          policy: fc.constant(policy as AuthorizationRequirement['policy']),
          rules: fc.array(rule, { maxLength: 4 }),
        }),
      ),
    ),
  );
export const policy: fc.Arbitrary<AuthorizationPolicy> = fc.record({
  workload: fc.constant(workload),
  requirements,
  shadowRequirements: requirements,
  hybridPolicies: fc.constant([]),
  quarantined: fc.subarray([callers[0], callers[2]]),
});

const header = fc.oneof(
  fc.tuple(
    fc.constantFrom('x-a', 'x-b', 'cookie', 'x-c', 'x_a'),
    fc.constantFrom('1', '2', '', 'x', ' 1', '1\t'),
  ),
  fc.tuple(
    fc.constant('authorization'),
    fc.constantFrom(
      'Bearer own',
      'bearer jwt',
      'Bearer other',
      'Bearer elsewhere',
      'Bearer old',
      'Bearer forged',
      'Bearer ',
      'Bearer',
      'Basic own',
      'own',
    ),
  ),
);
export const request: fc.Arbitrary<PlainRequest> = fc.record({
  principal: fc.constantFrom(...callers),
  port: fc.constantFrom(8080, 9090, 7070),
  method: fc.constantFrom('GET', 'POST', 'CONNECT', 'BREW'),
  path: fc
    .tuple(fc.constantFrom(...paths), fc.constantFrom('', '', '?', '?q=1', '?q=1?r', '?/a'))
    .map((parts) => parts.join('')),
  host: fc.constantFrom('shop.example', 'Shop.Example.', 'shop.example:8080', 'other'),
  headers: fc.array(header, { maxLength: 4 }),
});
