// The resource in which an agent learns its policy, there and back.

import { toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeAuthorization } from '../../src/authz/policy-message.ts';
import { WorkloadAuthorizationSchema } from '../../src/gen/proto/trellis/authz/v1/authorization_pb.ts';
import type { AuthorizationPolicy } from '../../src/policy/authorize/policy.ts';
import type { AuthorizationRequirement } from '../../src/policy/effective.ts';
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
