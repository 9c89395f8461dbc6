// Conditions on attestations cost up to seconds, and the verdict is drawn again with every few bundles that are fetched.

import type { AttestationRequirement, ConditionSubject } from './policy.ts';

/** The same requirements, for one verification: each condition is evaluated once for each predicate. */
export function evaluateOnce(
  requirements: readonly AttestationRequirement[],
): readonly AttestationRequirement[] {
  return requirements.map(({ predicateType, condition }) => {
    if (condition === undefined) return { predicateType, condition };
    const outcomes = new WeakMap<object, true | string>();
    const holds = (statement: ConditionSubject): true | string => {
      const { predicate } = statement;
      // Parsed predicates are objects, made for this verification alone.
      if (typeof predicate !== 'object' || predicate === null) return condition.holds(statement);
      const outcome = outcomes.get(predicate) ?? condition.holds(statement);
      outcomes.set(predicate, outcome);
      return outcome;
    };
    return { predicateType, condition: { text: condition.text, holds } };
  });
}
