// What conditions have come to. A condition is a function of bytes that were signed: it cannot ask what time it is, so that its
// outcome for them holds for as long as they are remembered. Evaluating it over the SBOM of a large image takes a third of a second.

import { LRUCache } from 'lru-cache';
import type { AttestationRequirement, ConditionSubject } from '../../../signing/verify/policy.ts';
import { heapBytes } from './heap-size.ts';

type Outcome = true | string;
type Predicate = Readonly<Record<string, unknown>>;

/** Conditions of one predicate: policies of a cluster ask few different ones about a type, and those asked last stay. */
const maxOutcomes = 32;
/** The entry in the list, and the list's share. */
const outcomeBytes = 192;

/** Of one payload, by the text of the condition. */
export class Outcomes {
  readonly #known = new LRUCache<string, Outcome>({ max: maxOutcomes });

  of(text: string): Outcome | undefined {
    return this.#known.get(text);
  }

  add(text: string, outcome: Outcome): void {
    this.#known.set(text, outcome);
  }

  /** Of memory, estimated. */
  get bytes(): number {
    let bytes = 0;
    for (const entry of this.#known.entries()) bytes += outcomeBytes + heapBytes(entry);
    return bytes;
  }
}

export interface ConditionOutcomes {
  /** The same requirements, whose conditions are evaluated once for each predicate. */
  remembering(requirements: readonly AttestationRequirement[]): readonly AttestationRequirement[];
  /** Undefined: no condition has been asked about it. */
  known(predicate: object): Outcomes | undefined;
  /** What is known of the one is known of the other: both were parsed from the same bytes. */
  adopt(predicate: object, same: object): void;
  /** In place of a predicate that is not worth its memory: it answers for conditions that were evaluated, and no others. */
  standIn(predicate: object): Predicate;
}

const notKept = 'the predicate is not kept; its image has to be looked at again';

export function createConditionOutcomes(): ConditionOutcomes {
  const byPredicate = new WeakMap<object, Outcomes>();
  const standIns = new WeakSet<object>();

  function outcomesOf(predicate: object): Outcomes {
    const outcomes = byPredicate.get(predicate) ?? new Outcomes();
    byPredicate.set(predicate, outcomes);
    return outcomes;
  }

  function evaluated(
    { text, holds }: NonNullable<AttestationRequirement['condition']>,
    statement: ConditionSubject,
  ): Outcome {
    const { predicate } = statement;
    if (typeof predicate !== 'object' || predicate === null) return holds(statement);
    const outcomes = outcomesOf(predicate);
    const known = outcomes.of(text);
    if (known !== undefined) return known;
    // Not remembered: it is nothing about the predicate.
    if (standIns.has(predicate)) return notKept;
    const outcome = holds(statement);
    outcomes.add(text, outcome);
    return outcome;
  }

  return {
    remembering: (requirements) =>
      requirements.map(({ predicateType, condition }) => ({
        predicateType,
        condition: condition && {
          text: condition.text,
          holds: (statement) => evaluated(condition, statement),
        },
      })),
    known: (predicate) => byPredicate.get(predicate),
    adopt: (predicate, same) => {
      if (!byPredicate.has(predicate)) byPredicate.set(predicate, outcomesOf(same));
    },
    standIn: (predicate) => {
      // Whatever reads it fails: an empty object would be a predicate about which much is true.
      const { proxy, revoke } = Proxy.revocable<Record<string, unknown>>({}, {});
      revoke();
      byPredicate.set(proxy, outcomesOf(predicate));
      standIns.add(proxy);
      return proxy;
    },
  };
}
