// The compiled decision against the obvious one, and what must hold of any decision.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { authorize } from '../../src/policy/authorize/authorize.ts';
import { compileAuthorization } from '../../src/policy/authorize/compile.ts';
import type { RequestAttributes } from '../../src/policy/authorize/request.ts';
import { fuzzRuns } from '../support/fuzz.ts';
import { type PlainRequest, referenceDecision } from './authz-reference.ts';
import { facts, now, policy, request, requirements, tokens } from './support/authorization.ts';

function attributes(plain: PlainRequest): RequestAttributes {
  return {
    ...plain,
    header: (name) => plain.headers.filter(([each]) => each === name).map(([, value]) => value),
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

  test('does not depend on what the policy does not read: anything else may change', () => {
    fc.assert(
      fc.property(policy, request, request, (plain, one, other) => {
        const compiled = compileAuthorization(plain);
        const { reads } = compiled;
        const first = authorize(compiled, attributes(one), verify, now);
        const mixed: PlainRequest = {
          principal: one.principal,
          port: reads.port ? one.port : other.port,
          method: reads.method ? one.method : other.method,
          path: mixedPath(reads, one.path, other.path),
          host: reads.host ? one.host : other.host,
          headers: [
            ...one.headers.filter(([name]) => reads.headers.includes(name)),
            ...other.headers.filter(([name]) => !reads.headers.includes(name)),
          ],
        };
        const later = new Date(now.getTime() + 1e10);
        const second = authorize(compiled, attributes(mixed), verify, later);
        if (first.repeatable) expect(second).toEqual(first);
      }),
      { numRuns: fuzzRuns(1_000) },
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

function mixedPath(
  reads: { readonly path: boolean; readonly query: boolean },
  one: string,
  other: string,
): string {
  const split = (path: string): [string, string] => {
    const at = path.indexOf('?');
    return at === -1 ? [path, ''] : [path.slice(0, at), path.slice(at)];
  };
  return `${split(reads.path ? one : other)[0]}${split(reads.query ? one : other)[1]}`;
}
