// The compiled decision against the obvious one, and what must hold of any decision.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { authorize } from '../../src/policy/authorize/authorize.ts';
import { compileAuthorization } from '../../src/policy/authorize/compile.ts';
import type { RequestAttributes } from '../../src/policy/authorize/request.ts';
import { type PlainRequest, referenceDecision } from '../support/authz/reference.ts';
import { fuzzRuns } from '../support/fuzz.ts';
import { facts, now, policy, request, requirements, tokens } from './support/authorization.ts';

function attributes(plain: PlainRequest): RequestAttributes {
  return {
    ...plain,
    header: (name) => plain.headers.filter(([each]) => each === name).map(([, value]) => value),
    hasTwin: (name) =>
      plain.headers.some(
        ([each]) => each !== name && each.replaceAll('_', '-') === name.replaceAll('_', '-'),
      ),
  };
}

const verify = (presented: string) => tokens.get(presented) ?? 'token-malformed';

describe('a decision', () => {
  test('is the obvious one: allowed or not, by which policy, rule and cause', () => {
    fc.assert(
      fc.property(policy, fc.array(request, { minLength: 1, maxLength: 8 }), (plain, requests) => {
        const compiled = compileAuthorization(plain);
        for (const each of requests) {
          const expected = referenceDecision(plain, each, { now, tokens, facts });
          const decision = authorize(compiled, attributes(each), verify, now);
          expect(decision.allowed ? undefined : decision.denial).toEqual(expected.denial);
          expect(decision.shadow).toEqual(expected.shadow);
        }
      }),
      { numRuns: fuzzRuns(500) },
    );
  });

  test('is never widened by another policy', () => {
    fc.assert(
      fc.property(policy, requirements, request, (plain, more, each) => {
        const both = { ...plain, requirements: [...plain.requirements, ...more] };
        const together = authorize(compileAuthorization(both), attributes(each), verify, now);
        const alone = authorize(compileAuthorization(plain), attributes(each), verify, now);
        expect(together.allowed && !alone.allowed).toBe(false);
      }),
      { numRuns: fuzzRuns(300) },
    );
  });
});
