// What Envoy and the agent decide together is what `authorize` decides alone, for any policy: it is what `trellis explain`
// answers by, and what each of the two halves is written from.

import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { authorize } from '../../src/policy/authorize/authorize.ts';
import { compileAuthorization } from '../../src/policy/authorize/compile.ts';
import { reasonText } from '../../src/policy/authorize/decision.ts';
import type { AuthorizationRule } from '../../src/policy/effective.ts';
import { echoApp } from '../support/apps.ts';
import { fuzzRuns } from '../support/fuzz.ts';
import type { Http2Client } from '../support/http-client.ts';
import { policy, spiffeId } from '../support/manifests.ts';
import { Mesh } from '../support/mesh.ts';
import { until } from '../support/until.ts';

const http = { port: 80, targetPort: 8080, appProtocol: 'http', app: echoApp } as const;
const callers = ['client', 'other'] as const;

let mesh: Mesh;
const connections = new Map<string, Http2Client>();

beforeAll(async () => {
  mesh = await Mesh.start({ workloads: { client: {}, other: {}, server: { ports: [http] } } });
  for (const caller of callers)
    connections.set(caller, await mesh.meshClient('server', 8080, await mesh.identity(caller)));
});

const principal = fc.constantFrom(
  '*',
  spiffeId('client'),
  spiffeId('other'),
  spiffeId('nobody'),
  'spiffe://cluster.local/ns/shop/*',
  'spiffe://cluster.local/ns/shop/sa/client/*',
);
const glob: fc.Arbitrary<string> = fc.constantFrom(
  '/',
  '/a',
  '/a/*',
  '/a/**',
  '/**/b',
  '/*/b',
  '/a*',
  '/**',
  '/a/',
  '/*b/**',
);
const operation = fc.record(
  {
    ports: fc.constantFrom<number[]>([8080], [9999], [9999, 8080]),
    methods: fc.subarray<'GET' | 'POST' | 'PUT'>(['GET', 'POST', 'PUT'], { minLength: 1 }),
    paths: fc.array(glob, { minLength: 1, maxLength: 3 }),
  },
  { requiredKeys: ['ports'] },
);
const condition: fc.Arbitrary<string> = fc.constantFrom(
  "request.method != 'PUT'",
  "request.path.startsWith('/a') || request.query == 'x=1'",
  "request.headers['x-t'] == 'b'",
  "'x-t' in request.headers",
  "source.serviceAccount == 'client' && destination.port == 8080",
);
const rule: fc.Arbitrary<AuthorizationRule> = fc.record(
  {
    from: fc.array(fc.record({ principals: fc.array(principal, { minLength: 1, maxLength: 2 }) }), {
      minLength: 1,
      maxLength: 2,
    }),
    to: fc.array(operation, { minLength: 1, maxLength: 2 }),
    condition,
  },
  { requiredKeys: ['from'] },
);
const policies = fc.array(fc.array(rule, { maxLength: 3 }), { minLength: 1, maxLength: 3 });

const request = fc.record({
  caller: fc.constantFrom(...callers),
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE'),
  path: fc.constantFrom(
    '/',
    '/a',
    '/a/',
    '/a/b',
    '/a/b/c',
    '/ab',
    '/a;x',
    '/b',
    '/a?x=1',
    '/c?x=1',
    '/cb/d',
    '/a/b;c',
  ),
  header: fc.option(fc.constantFrom('b', 'c')),
});
type Request = typeof request extends fc.Arbitrary<infer T> ? T : never;

const requestsPerPolicy = 24;

async function ask({ caller, method, path, header }: Request): Promise<string> {
  const answer = await connections.get(caller)?.request('server', {
    method,
    path,
    headers: header === null ? {} : { 'x-t': header },
  });
  if (answer?.status === 200) return 'allowed';
  return String(answer?.headers['x-trellis-denied']);
}

test('Envoy and the agent agree with the decision', async () => {
  const runs = fuzzRuns(12);
  const samples = fc.sample(
    fc.tuple(policies, fc.array(request, { minLength: requestsPerPolicy, maxLength: requestsPerPolicy })),
    runs,
  );
  let asked = { allowed: 0, byEnvoy: 0, byAgent: 0 };
  for (const [authorizations, requests] of samples) {
    const named = authorizations.map((authorization, i) => ({ name: `p${i}`, authorization }));
    await mesh.apply(
      'policies.yaml',
      ...named.map(({ name, authorization }) => policy(name, { authorization }, { app: 'server' })),
    );
    const compiled = compileAuthorization({
      workload: spiffeId('server'),
      requirements: named.map(({ name, authorization }) => ({
        policy: `shop/${name}` as const,
        rules: authorization,
      })),
      shadowRequirements: [],
      hybridPolicies: [],
      quarantined: [],
    });
    for (const each of requests) {
      const decision = authorize(
        compiled,
        {
          principal: spiffeId(each.caller),
          port: 8080,
          method: each.method,
          path: each.path,
          host: 'server',
          header: (name) => (name === 'x-t' && each.header !== null ? [each.header] : []),
          hasTwin: () => false,
        },
        () => 'token-malformed',
        new Date(),
      );
      const expected = (answer: string) => {
        if (decision.allowed) return answer === 'allowed';
        // Envoy looks at its half of all policies first, so it may name another one that does not allow either.
        if (answer.startsWith('rbac_access_denied')) return true;
        return answer === `ext_authz_denied[${reasonText(decision.denial)}]`;
      };
      // The agent learns of an edit beside its proxy: for a moment it may be behind.
      const answer = await until(
        `${JSON.stringify(each)} to be ${JSON.stringify(decision)} under ${JSON.stringify(named)}`,
        async () => {
          const seen = await ask(each);
          return expected(seen) ? seen : undefined;
        },
      );
      if (answer === 'allowed') asked = { ...asked, allowed: asked.allowed + 1 };
      else if (answer.startsWith('rbac')) asked = { ...asked, byEnvoy: asked.byEnvoy + 1 };
      else asked = { ...asked, byAgent: asked.byAgent + 1 };
    }
  }
  // All three ends have been seen, or nothing was compared.
  expect(Object.values(asked).every((count) => count > 0)).toBe(true);
});
