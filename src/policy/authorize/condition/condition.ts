// Conditions of authorization rules, compiled once and evaluated for each request.

import { most, plus } from '../../condition/amount.ts';
import {
  type Bindings,
  ConditionEngine,
  demandAffordable,
  parseCondition,
  type Verdict,
} from '../../condition/engine.ts';
import { maxConditionCost } from './limits.ts';
import { type ConditionReads, ReadCollector } from './reads.ts';

export type ConditionResult = 'true' | 'condition-false' | 'condition-error';

export interface Condition {
  readonly reads: ConditionReads;
  readonly readsToken: boolean;
  evaluate(bindings: Bindings): EvaluatedCondition;
}

interface EvaluatedCondition {
  readonly result: ConditionResult;
  /** In the units of limits.ts: at worst, and for its regular expressions what they have done. */
  readonly cost: number;
}

/** Compiles the conditions of one policy; they share their regular expressions. */
export class ConditionCompiler {
  readonly #engine = new ConditionEngine();

  /**
   * @param withToken whether the rule asks for a token, which the condition may then read
   * @throws PolicyError that says what is wrong with the expression
   */
  compile(expression: string, withToken: boolean): Condition {
    const collector = new ReadCollector(withToken);
    const { expr, cost } = this.#engine.analyse(parseCondition(expression), collector);
    const steps = most(cost.steps);
    demandAffordable(most(plus(steps, cost.matching)), maxConditionCost);
    const reads = collector.result();
    const program = this.#engine.program(expr);
    return {
      reads,
      readsToken: reads.variables.some((variable) => variable.startsWith('token.')),
      evaluate: (bindings) => {
        const { verdict, matching } = program(bindings);
        return { result: resultOf(verdict), cost: steps + matching };
      },
    };
  }
}

function resultOf(verdict: Verdict): ConditionResult {
  if (verdict === true) return 'true';
  return verdict === false ? 'condition-false' : 'condition-error';
}
