import { create } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { runMatcher } from '../../../src/explain/envoy-matcher.ts';
import { MatcherSchema } from '../../../src/gen/proto/xds/type/matcher/v3/matcher_pb.ts';
import { mergePolicies } from '../../../src/policy/effective.ts';
import { denyAll, enforcedMatcher } from '../../../src/xds/translate/rbac.ts';

// That it agrees with the policies is a property: test/property/who-decides.test.ts.
describe('runMatcher', () => {
  const anyone = { principal: 'spiffe://cluster.local/ns/a/sa/b', method: 'GET', path: '/' };
  const settings = { trustDomain: 'cluster.local', maxConnectionAgeMs: 0, denialReasons: 'shown' as const };
  const matcher = enforcedMatcher(mergePolicies([]), { port: 80, protocol: 'http' }, settings);

  test('says which action matched', () => {
    expect(runMatcher(denyAll('deny:a/b'), anyone)).toEqual({ denied: true, action: 'deny:a/b' });
    expect(runMatcher(matcher, anyone)).toEqual({ denied: false, action: 'allow' });
  });

  test('no certificate matches no principal', () => {
    const denied = { denied: true, action: 'deny:mesh-default:quantumAuthentication' };
    expect(runMatcher(matcher, { ...anyone, principal: undefined })).toEqual(denied);
    expect(runMatcher(matcher, { ...anyone, principal: 'spiffe://cluster.local/trellis/agent' })).toEqual(
      denied,
    );
  });

  test('a matcher that ends in nothing denies', () => {
    expect(runMatcher(create(MatcherSchema, {}), anyone).denied).toBe(true);
  });

  test('what it does not know it does not guess', () => {
    const tree = create(MatcherSchema, { matcherType: { case: 'matcherTree', value: {} } });
    expect(() => runMatcher(tree, anyone)).toThrow('matcherTree');
  });
});
