// Envoy and the agent decide by the same policies in two languages: what the one allows alone, the other allows too.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runMatcher } from '../../src/explain/envoy-matcher.ts';
import type { Policy } from '../../src/model/mesh.ts';
import { agentDecides } from '../../src/policy/agent-decides.ts';
import { authorize } from '../../src/policy/authorize/authorize.ts';
import { compileAuthorization } from '../../src/policy/authorize/compile.ts';
import { type EffectivePolicy, effectivePolicy } from '../../src/policy/effective.ts';
import { enforcedMatcher } from '../../src/xds/translate/rbac.ts';
import { fuzzRuns } from '../support/fuzz.ts';
import {
  allows,
  type Call,
  call,
  pathOf,
  permissive,
  policies,
  satisfies,
  server,
  serverId,
  stateOf,
} from './support/policies.ts';

const settings = { trustDomain: 'cluster.local', maxConnectionAgeMs: 0, denialReasons: 'shown' as const };
const effective = (list: readonly Policy[]) => effectivePolicy(stateOf(list), server);

function envoyAllows(policy: EffectivePolicy, asked: Call): boolean {
  const { principal, protocol } = asked;
  const method = protocol === 'tcp' ? 'CONNECT' : asked.method;
  return !runMatcher(enforcedMatcher(policy, asked, settings), { principal, method, path: pathOf(asked) })
    .denied;
}

function agentAllows({ requirements }: EffectivePolicy, asked: Call): boolean {
  const { principal = '', port, protocol, token } = asked;
  const compiled = compileAuthorization({
    workload: serverId,
    requirements,
    shadowRequirements: [],
    hybridPolicies: [],
    quarantined: [],
  });
  const request = {
    principal,
    port,
    method: protocol === 'tcp' ? 'CONNECT' : asked.method,
    path: pathOf(asked),
    host: 'server',
    header: (name: string) => (name === 'authorization' && token !== undefined ? ['Bearer token'] : []),
    hasTwin: () => false,
  };
  const verify = () =>
    token === undefined
      ? ('token-malformed' as const)
      : { ...token, type: token.type as 'ML-DSA', claims: {} };
  return authorize(compiled, request, verify, new Date(0)).allowed;
}

/** In Envoy the counter-signature is no matter of a request. */
const counterSigned = (asked: Call): Call => ({ ...asked, counterSigned: true });
const lists = policies(4, 'p').map((list) => [permissive, ...list]);

describe('a call', () => {
  test('is allowed by Envoy where the policies allow it, if Envoy can decide it alone', () => {
    const seen = { allowed: 0, denied: 0 };
    fc.assert(
      fc.property(fc.oneof(lists, policies(4, 'p')), call, (list, asked) => {
        const policy = effective(list);
        const expected = allows(policy, { about: 'call', call: counterSigned(asked) });
        const allowed = envoyAllows(policy, asked);
        // What it leaves to the agent it must not have denied; and never does it allow more than the agent would.
        if (agentDecides(policy.requirements, asked)) expect(expected && !allowed).toBe(false);
        else expect(allowed).toBe(expected);
        seen[expected ? 'allowed' : 'denied']++;
      }),
      { numRuns: fuzzRuns(2_000) },
    );
    expect(seen.allowed).toBeGreaterThan(0);
    expect(seen.denied).toBeGreaterThan(0);
  });

  test('is allowed by the agent where the rules of all policies allow it', () => {
    fc.assert(
      fc.property(lists, call, (list, asked) => {
        const policy = effective(list);
        expect(agentAllows(policy, asked)).toBe(satisfies(policy.requirements, asked));
      }),
      { numRuns: fuzzRuns(500) },
    );
  });
});
