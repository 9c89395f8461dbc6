// Merging policies, judged by what comes of it: no order, no repetition and no division of the policies of a workload changes a
// decision, and a policy more never allows what was not allowed before.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { namespacedName, type Policy } from '../../src/model/mesh.ts';
import { effectivePolicy, mergePolicies } from '../../src/policy/effective.ts';
import { policiesFor } from '../../src/policy/selection.ts';
import { fuzzRuns } from '../support/fuzz.ts';
import {
  allowedBy,
  allows,
  permissive,
  policies,
  type Question,
  question,
  rootNamespace,
  satisfies,
  server,
  spec,
  stateOf,
} from './support/policies.ts';

const questions = fc.array(question, { minLength: 1, maxLength: 6 });
const effective = (list: readonly Policy[]) => effectivePolicy(stateOf(list), server);

/** What the workload answers when these policies are all there are. */
function answers(list: readonly Policy[], asked: readonly Question[]): boolean[] {
  const policy = effective([permissive, ...list]);
  return asked.map((each) => allows(policy, each));
}

describe('the effective policy', () => {
  test('does not depend on order or repetition', () => {
    const shuffled = policies(5, 'p').chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray([...list, ...list], { minLength: list.length * 2 })),
    );
    fc.assert(
      fc.property(shuffled, ([list, other]) => {
        expect(effective(other)).toEqual(effective(list));
        expect(mergePolicies(other)).toEqual(mergePolicies(list));
      }),
      { numRuns: fuzzRuns(300) },
    );
  });

  test('is left alone by the policies of others', () => {
    const foreign = spec.map((each) => ({ namespace: 'other', name: 'foreign', spec: each }));
    const unselected = spec.map((each) => ({
      namespace: 'shop',
      name: 'unselected',
      spec: { ...each, selector: { matchLabels: { app: 'client' } } },
    }));
    fc.assert(
      fc.property(policies(3, 'p'), foreign, unselected, (list, one, another) => {
        expect(effective([...list, one, another])).toEqual(effective(list));
      }),
      { numRuns: fuzzRuns(200) },
    );
  });
});

describe('decisions', () => {
  test('are to allow where every policy by itself allows', () => {
    const selected = (policy: Policy) =>
      policiesFor(stateOf([policy]), server).length > 0 ||
      (policy.namespace === rootNamespace && policy.spec.quarantine !== undefined);
    const quarantineOnly = (policy: Policy): Policy =>
      policiesFor(stateOf([policy]), server).length > 0
        ? policy
        : {
            ...policy,
            spec: {
              enforcement: policy.spec.enforcement ?? 'enforce',
              quarantine: policy.spec.quarantine ?? [],
            },
          };
    fc.assert(
      fc.property(policies(6, 'p'), questions, (list, asked) => {
        // A quarantine holds whomever the policy selects; the rest of it only for those.
        const own = list.filter(selected).map(quarantineOnly);
        expect(answers(list, asked)).toEqual(
          asked.map((each) => own.every((policy) => allowedBy(policy, each))),
        );
      }),
      { numRuns: fuzzRuns(1_000) },
    );
  });

  test('of all policies together are those on which every part of them agrees', () => {
    const seen = { allowed: 0, denied: 0 };
    fc.assert(
      fc.property(policies(4, 'a'), policies(4, 'b'), questions, (some, others, asked) => {
        const [one, other] = [answers(some, asked), answers(others, asked)];
        const together = one.map((answer, index) => answer && other[index] === true);
        expect(answers([...some, ...others], asked)).toEqual(together);
        for (const answer of together) seen[answer ? 'allowed' : 'denied']++;
      }),
      { numRuns: fuzzRuns(1_000) },
    );
    expect(seen.allowed).toBeGreaterThan(0);
    expect(seen.denied).toBeGreaterThan(0);
  });

  test('never become laxer by a policy more, whatever else is said or not said', () => {
    fc.assert(
      fc.property(
        policies(5, 'p'),
        spec,
        fc.constantFrom('shop', rootNamespace),
        questions,
        (list, extra, namespace, asked) => {
          const before = answers(list, asked);
          const after = answers([...list, { namespace, name: 'extra', spec: extra }], asked);
          for (const [index, answer] of after.entries()) expect(answer && !before[index]).toBe(false);
        },
      ),
      { numRuns: fuzzRuns(500) },
    );
  });

  test('about calls never become laxer either where only the defaults speak', () => {
    fc.assert(
      fc.property(policies(3, 'p'), spec, questions, (list, extra, asked) => {
        const before = effective(list);
        const after = effective([...list, { namespace: 'shop', name: 'extra', spec: extra }]);
        for (const each of asked) {
          if (each.about !== 'call') continue;
          const rules = (policy: typeof before) => satisfies(policy.requirements, each.call);
          expect(rules(after) && !rules(before)).toBe(false);
        }
      }),
      { numRuns: fuzzRuns(300) },
    );
  });

  test('are made by policies that enforce alone; warn and audit record what they would have denied', () => {
    fc.assert(
      fc.property(
        policies(3, 'p'),
        spec,
        fc.constantFrom('warn', 'audit'),
        questions,
        (list, extra, enforcement, asked) => {
          const name = { namespace: 'shop', name: 'extra' };
          const quiet: Policy = { ...name, spec: { ...extra, enforcement } };
          const strict: Policy = { ...name, spec: { ...extra, enforcement: 'enforce' } };
          expect(answers([...list, quiet], asked)).toEqual(answers(list, asked));
          const recorded = effective([quiet]).shadowRequirements;
          expect(recorded).toEqual(effective([strict]).requirements);
          const selected = policiesFor(stateOf([strict]), server).length > 0;
          expect(recorded.map(({ policy }) => policy)).toEqual(
            selected && extra.authorization !== undefined ? [namespacedName(name)] : [],
          );
        },
      ),
      { numRuns: fuzzRuns(200) },
    );
  });
});
