import { describe, expect, test } from 'vitest';
import { DecisionCache, decisionKey } from '../../../src/authz/decision-cache.ts';
import { compileAuthorization, type PolicyReads } from '../../../src/policy/authorize/compile.ts';
import { type Asked, anyone, policyOf, requestOf } from '../policy/authorize/support.ts';

const everything: PolicyReads = {
  port: true,
  method: true,
  path: true,
  query: true,
  host: true,
  headers: ['a', 'b'],
};
const nothing: PolicyReads = {
  port: false,
  method: false,
  path: false,
  query: false,
  host: false,
  headers: [],
};

const variants: readonly Asked[] = [
  {},
  { principal: 'x' },
  { port: 1 },
  { method: 'POST' },
  { path: '/1' },
  { path: '/?' },
  { path: '/?1' },
  { host: '1' },
  { headers: { a: '1' } },
  { headers: { a: '' } },
  { headers: { a: ['', ''] } },
  { headers: { b: '1' } },
  { headers: { a: ['1', '1'] } },
  // What would be the same if parts were put together without saying where each ends.
  { headers: { a: '1', b: '11:1' } },
  { headers: { a: '11:1', b: '1' } },
  { method: 'GE', path: 'T/' },
  { headers: { a: '1', b: '1' } },
  { headers: { a: '11;1' } },
];

describe('the key of a decision', () => {
  test('is another one for everything that a policy can read', () => {
    expect(new Set(variants.map((variant) => decisionKey(everything, requestOf(variant)))).size).toBe(
      variants.length,
    );
  });

  test('is the same for what it does not read', () => {
    const same = variants.filter(({ principal }) => principal === undefined);
    expect(new Set(same.map((variant) => decisionKey(nothing, requestOf(variant)))).size).toBe(1);
  });

  test('takes the path without its query, where only that is read', () => {
    const reads = { ...nothing, path: true };
    expect(decisionKey(reads, requestOf({ path: '/a?x' }))).toBe(
      decisionKey(reads, requestOf({ path: '/a?y' })),
    );
    expect(decisionKey(reads, requestOf({ path: '/a?x' }))).not.toBe(
      decisionKey(reads, requestOf({ path: '/b?x' })),
    );
  });
});

describe('a decision is remembered', () => {
  const policy = compileAuthorization(policyOf([{ from: anyone, condition: "request.headers.a == '1'" }]));
  const costly = { repeatable: true, cost: 1000 };
  const answer = {};
  const request = requestOf({ headers: { a: '1' } });
  const cacheWith = (decision: typeof costly, asked = request) => {
    const cache = new DecisionCache<object>();
    cache.get(policy, asked);
    cache.set(policy, asked, decision, answer);
    return cache;
  };

  test('for requests that do not differ in what is read', () => {
    const cache = cacheWith(costly);
    expect(cache.get(policy, requestOf({ headers: { a: '1', b: '2' } }))).toBe(answer);
    expect(cache.get(policy, requestOf({ headers: { a: '2' } }))).toBeUndefined();
  });

  test('unless the time or a token had a part in it, or it was made in no time', () => {
    expect(cacheWith({ ...costly, repeatable: false }).size).toBe(0);
    expect(cacheWith({ ...costly, cost: 1 }).size).toBe(0);
  });

  test('until the policy is another', () => {
    const cache = cacheWith(costly);
    const next = compileAuthorization(policyOf([{ from: anyone, condition: "request.headers.a == '1'" }]));
    expect(cache.get(next, request)).toBeUndefined();
    expect(cache.get(policy, request)).toBeUndefined();
    // Made by a policy that was replaced meanwhile.
    cache.set(next, request, costly, answer);
    expect(cache.get(policy, request)).toBeUndefined();
  });

  test('within bounds, however many requests differ and however long they are', () => {
    const cache = cacheWith(costly);
    for (let i = 0; i < 20_000; i++) {
      const asked = requestOf({ headers: { a: String(i) } });
      cache.get(policy, asked);
      cache.set(policy, asked, costly, answer);
    }
    expect(cache.size).toBeLessThanOrEqual(8192);
    expect(cacheWith(costly, requestOf({ headers: { a: 'a'.repeat(3000) } })).size).toBe(0);
  });
});
