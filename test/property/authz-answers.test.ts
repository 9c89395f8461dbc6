// The whole service, caches and all, over checks in any order and policies that change: each answer is the one that the
// obvious decision would give.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type CompiledAuthorization, compileAuthorization } from '../../src/policy/authorize/compile.ts';
import { reasonText } from '../../src/policy/authorize/decision.ts';
import { asker, checkBytes } from '../support/authz/checks.ts';
import { referenceDecision } from '../support/authz/reference.ts';
import { fuzzRuns } from '../support/fuzz.ts';
import { facts, now, policy, request } from './support/authorization.ts';

/** Without keys no token is any good. */
const noTokens = { get: () => 'token-unknown-key' } as unknown as ReadonlyMap<string, string>;

test('answers do not depend on what was asked before', () => {
  const asked = fc.record({ policy: fc.nat({ max: 1 }), request: fc.nat({ max: 5 }) });
  fc.assert(
    fc.property(
      fc.tuple(policy, policy),
      fc.array(request, { minLength: 6, maxLength: 6 }),
      fc.array(asked, { minLength: 1, maxLength: 20 }),
      (policies, requests, order) => {
        const compiled = policies.map(compileAuthorization);
        let inForce: CompiledAuthorization | undefined;
        const ask = asker({ policy: () => inForce, now: () => now });
        for (const step of order) {
          inForce = compiled[step.policy];
          const plain = requests[step.request];
          const written = policies[step.policy];
          if (plain === undefined || written === undefined)
            throw new Error('there are as many as are asked for');
          const expected = referenceDecision(written, plain, { now, tokens: noTokens, facts });
          const [audit] = expected.shadow;
          expect(ask(checkBytes(plain))).toEqual({
            result: expected.denial === undefined ? 'allowed' : 'denied',
            ...(expected.denial === undefined ? {} : { denied: text(expected.denial) }),
            ...(audit === undefined ? {} : { audit: text(audit) }),
          });
        }
      },
    ),
    { numRuns: fuzzRuns(200) },
  );
});

function text(denial: { policy: string; rule: number | undefined; cause: string }): string {
  return reasonText(denial as Parameters<typeof reasonText>[0]);
}
