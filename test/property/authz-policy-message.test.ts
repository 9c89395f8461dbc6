// The resource in which an agent learns its policy, there and back.

import { toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeAuthorization } from '../../src/authz/policy-message.ts';
import { WorkloadAuthorizationSchema } from '../../src/gen/proto/trellis/authz/v1/authorization_pb.ts';
import { compileAuthorization } from '../../src/policy/authorize/compile.ts';
import type { AuthorizationPolicy } from '../../src/policy/authorize/policy.ts';
import { authorizationPolicy } from '../../src/policy/authorize/policy.ts';
import { type AuthorizationRequirement, mergePolicies } from '../../src/policy/effective.ts';
import { createMeshManifestParser } from '../../src/policy/manifest-parser.ts';
import { readCustomResourceDefinitions } from '../../src/sources/crds.ts';
import { authorizationMessage } from '../../src/xds/translate/authorization.ts';
import { fuzzRuns } from '../support/fuzz.ts';
import { policy } from './support/authorization.ts';

/** What the schema of QuantumSecurityPolicy allows: it knows no operation that says nothing. */
const written = policy.filter(({ requirements, shadowRequirements }) =>
  [...requirements, ...shadowRequirements].every(({ rules }) =>
    rules.every(({ to = [] }) => to.every((operation) => Object.keys(operation).length > 0)),
  ),
);
const hybridPolicies = fc.uniqueArray(fc.constantFrom('a/one', 'b/two', 'c/three'));

/** Entries of `from` are alternatives, and so are the principals of an entry. */
function inOneEntry({ policy: name, rules }: AuthorizationRequirement): AuthorizationRequirement {
  return {
    policy: name,
    rules: rules.map((rule) => ({
      ...rule,
      from: [{ principals: rule.from.flatMap(({ principals }) => principals) }],
    })),
  };
}

test('the agent decides by the very policy that the control plane has', () => {
  fc.assert(
    fc.property(written, hybridPolicies, (plain, hybrid) => {
      const sent: AuthorizationPolicy = { ...plain, hybridPolicies: hybrid };
      const resource = toBinary(WorkloadAuthorizationSchema, authorizationMessage(sent));
      expect(decodeAuthorization(resource)).toEqual({
        ...sent,
        requirements: sent.requirements.map(inOneEntry),
        shadowRequirements: sent.shadowRequirements.map(inOneEntry),
      });
    }),
    { numRuns: fuzzRuns(500) },
  );
});

const parse = createMeshManifestParser(await readCustomResourceDefinitions());

const text = fc.oneof(
  fc.constantFrom(
    '*',
    'spiffe://mesh/ns/shop/sa/cart',
    'spiffe://mesh/ns/*',
    'spiffe://mesh/*',
    '/a/**',
    '/*b',
    'a',
  ),
  fc.string({ maxLength: 12, unit: 'binary' }),
  fc.string({ minLength: 1, maxLength: 4, unit: 'grapheme' }).map((piece) => piece.repeat(700)),
  fc.constantFrom(
    'spiffe://mesh/a//b',
    'spiffe://mesh/..',
    'SPIFFE://mesh/a',
    'spiffe://mesh',
    '/a/./b',
    'a\nb',
    ' ',
  ),
);
const condition = fc.oneof(
  fc.constantFrom("request.method == 'GET'", 'true', "token.type == 'ML-DSA'"),
  text,
);
const texts = fc.array(text, { minLength: 1, maxLength: 2 });
const anyRule = fc.record(
  {
    from: fc.array(fc.record({ principals: texts }), { minLength: 1, maxLength: 2 }),
    to: fc.array(fc.record({ ports: fc.array(fc.integer()), paths: texts }, { requiredKeys: [] }), {
      maxLength: 2,
    }),
    token: fc.record({ audiences: texts, subjects: texts }, { requiredKeys: [] }),
    condition,
  },
  { requiredKeys: ['from'] },
);

test('what the manifest parser accepts, the agent can decide by', () => {
  let accepted = 0;
  fc.assert(
    fc.property(fc.array(anyRule, { maxLength: 2 }), (authorization) => {
      const { resource } = parse({
        apiVersion: 'security.quantum.io/v1',
        kind: 'QuantumSecurityPolicy',
        metadata: { name: 'p', namespace: 'shop' },
        spec: { authorization },
      });
      if (resource?.kind !== 'QuantumSecurityPolicy') return;
      accepted += 1;
      const effective = mergePolicies([resource]);
      const sent = authorizationMessage(authorizationPolicy(effective, 'spiffe://mesh/ns/shop/sa/orders'));
      compileAuthorization(decodeAuthorization(toBinary(WorkloadAuthorizationSchema, sent)));
    }),
    { numRuns: fuzzRuns(2000) },
  );
  expect(accepted).toBeGreaterThan(0);
});
