// Conditions: CEL, compiled once and evaluated for each request.

import { type CelInput, celEnv, parse, plan } from '@bufbuild/cel';
import { PolicyError } from '../errors.ts';
import { Analysis } from './analysis.ts';
import { strictFunctions } from './library.ts';
import { maxConditionCost, maxConditionLength, maxMatchedChars } from './limits.ts';
import { Pattern } from './pattern.ts';
import type { ConditionReads } from './reads.ts';
import { kindName } from './shape.ts';

/** Values of what a condition reads, by the names that the analysis gives them. A missing one is an error of the evaluation. */
export type Bindings = Readonly<Record<string, CelInput>>;

export type ConditionResult = 'true' | 'condition-false' | 'condition-error';

export interface Condition {
  readonly reads: ConditionReads;
  readonly readsToken: boolean;
  evaluate(bindings: Bindings): Evaluated;
}

export interface Evaluated {
  readonly result: ConditionResult;
  /** In the units of limits.ts: at worst, and for its regular expressions what they have done. */
  readonly cost: number;
}

/** Operators that the evaluator knows by themselves, without an entry among the functions. */
const operators: ReadonlySet<string> = new Set(['_&&_', '_||_', '_?_:_', '_[_]', '@not_strictly_false']);

/** Compiles the conditions of one policy; they share their regular expressions. */
export class ConditionCompiler {
  /** What the regular expressions of the condition that is being evaluated have cost so far. */
  readonly #matching = { spent: 0 };
  readonly #patterns = new Map<string, Pattern>();
  readonly #env = celEnv({
    funcs: [...strictFunctions],
    re2: { compile: (source) => this.#pattern(source) },
  });

  /**
   * @param withToken whether the rule asks for a token, which the condition may then read
   * @throws PolicyError that says what is wrong with the expression
   */
  compile(expression: string, withToken: boolean): Condition {
    const source = parsed(expression);
    const analysis = new Analysis({
      withToken,
      isFunction: (name) => operators.has(name) || this.#env.funcs.find(name) !== undefined,
      patternCost: (pattern, chars) => this.#pattern(pattern).cost(Math.min(chars, maxMatchedChars)),
    });
    const { expr, shape, cost } = analysis.analyse(source);
    if (shape.kind !== 'bool' && shape.kind !== 'dyn') {
      throw new PolicyError(
        'ERR_CONDITION_TYPE',
        `a condition is true or false; this one is ${kindName(shape)}`,
      );
    }
    const atWorst = cost.steps + cost.matching;
    // Written so that what is no number is refused as well.
    if (!(atWorst <= maxConditionCost)) {
      throw new PolicyError(
        'ERR_CONDITION_COST',
        `the condition may cost ${Math.ceil(atWorst)} steps; at most ${maxConditionCost} are allowed. What costs are lists in lists, long regular expressions, and text searched in long text`,
      );
    }
    const reads = analysis.reads.result();
    const evaluate = plan(this.#env, expr);
    return {
      reads,
      readsToken: reads.variables.some((variable) => variable.startsWith('token.')),
      evaluate: (bindings) => {
        this.#matching.spent = 0;
        const result = verdict(evaluate(bindings));
        return { result, cost: cost.steps + this.#matching.spent };
      },
    };
  }

  #pattern(source: string): Pattern {
    let pattern = this.#patterns.get(source);
    if (pattern === undefined) {
      pattern = new Pattern(source, this.#matching);
      this.#patterns.set(source, pattern);
    }
    return pattern;
  }
}

/** The library returns errors as values, and an object is as good as true to `if`. Nothing but `true` is true. */
function verdict(result: unknown): ConditionResult {
  if (result === true) return 'true';
  return result === false ? 'condition-false' : 'condition-error';
}

function parsed(expression: string): ReturnType<typeof parse>['expr'] {
  if (expression.length > maxConditionLength) {
    throw new PolicyError(
      'ERR_CONDITION_COST',
      `the condition has ${expression.length} characters; at most ${maxConditionLength} are allowed`,
    );
  }
  try {
    return parse(expression).expr;
  } catch (error) {
    if (error instanceof RangeError) {
      throw new PolicyError('ERR_CONDITION_COST', 'the condition is nested too deeply', { cause: error });
    }
    const reason = error instanceof Error ? error.message : String(error);
    throw new PolicyError('ERR_CONDITION_SYNTAX', `not a CEL expression: ${reason}`, { cause: error });
  }
}
