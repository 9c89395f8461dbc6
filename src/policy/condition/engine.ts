// Conditions: CEL, compiled once and evaluated as often as something is to be decided. What they can read is their vocabulary's
// affair, and what they may cost that of whoever has them compiled.

import { type CelInput, celEnv, celType, isCelError, parse, plan } from '@bufbuild/cel';
import { PolicyError } from '../errors.ts';
import { type Analysed, Analysis } from './analysis.ts';
import type { Expr } from './expression.ts';
import { strictFunctions } from './library.ts';
import { maxConditionLength, maxMatchedChars } from './limits.ts';
import { Pattern } from './pattern.ts';
import { kindName } from './shape.ts';
import type { Vocabulary } from './vocabulary.ts';

/** Values of what a condition reads, by the names that its vocabulary gives them. A missing one is an error of the evaluation. */
export type Bindings = Readonly<Record<string, CelInput>>;

const nothing: object = Object.create(null);

/** Names come from the expression: none of them may find what every object inherits. */
export function emptyBindings(): Record<string, CelInput> {
  return Object.create(nothing);
}

/** Nothing but `true` is true: the library returns errors as values, and an object is as good as true to `if`. */
export type Verdict = boolean | Fault;

export interface Evaluated {
  readonly verdict: Verdict;
  /** What its regular expressions have cost. */
  readonly matching: number;
  /** Whether that was too much, so that some were not matched any more: the verdict is worth nothing. */
  readonly isCutShort: boolean;
}

export type Program = (bindings: Bindings) => Evaluated;

/** Why an evaluation has come to no answer. */
export class Fault {
  readonly #result: unknown;

  constructor(result: unknown) {
    this.#result = result;
  }

  /** In words that may quote what was read. */
  get reason(): string {
    if (isCelError(this.#result)) return this.#result.message;
    return `it came to a value of type ${celType(this.#result as Parameters<typeof celType>[0])}, which is neither true nor false`;
  }
}

/** Operators that the evaluator knows by themselves, without an entry among the functions. */
const operators: ReadonlySet<string> = new Set(['_&&_', '_||_', '_?_:_', '_[_]', '@not_strictly_false']);

interface EngineOptions {
  /** What the regular expressions of one evaluation may cost; what goes on is an error of the evaluation. */
  readonly maxMatching?: number;
  /** Whether an evaluation may make errors by the thousand, so that they have to be counted among what it costs. */
  readonly manyErrors?: boolean;
}

/** Made without its stack, whose recording takes five times as long. */
const costOfError = 20;

/** Compiles conditions that share their regular expressions. */
export class ConditionEngine {
  /** What the regular expressions of the condition that is being evaluated have cost so far. */
  readonly #matching: { spent: number; readonly limit: number };
  readonly #manyErrors: boolean;
  readonly #patterns = new Map<string, Pattern>();
  readonly #env = celEnv({
    funcs: [...strictFunctions],
    re2: { compile: (source) => this.#pattern(source) },
  });

  constructor({ maxMatching = Number.POSITIVE_INFINITY, manyErrors = false }: EngineOptions = {}) {
    this.#matching = { spent: 0, limit: maxMatching };
    this.#manyErrors = manyErrors;
  }

  /** @throws PolicyError that says what is wrong with the expression */
  analyse(expr: Expr, vocabulary: Vocabulary): Analysed {
    const analysis = new Analysis({
      vocabulary,
      errorCost: this.#manyErrors ? costOfError : 0,
      isFunction: (name) => operators.has(name) || this.#env.funcs.find(name) !== undefined,
      patternCost: (pattern, chars) => this.#pattern(pattern).cost(Math.min(chars, maxMatchedChars)),
    });
    const analysed = analysis.analyse(expr);
    const { kind } = analysed.shape;
    if (kind !== 'bool' && kind !== 'dyn') {
      throw new PolicyError(
        'ERR_CONDITION_TYPE',
        `a condition is true or false; this one is ${kindName(analysed.shape)}`,
      );
    }
    return analysed;
  }

  /** @param expr of an analysis */
  program(expr: Expr): Program {
    const evaluate = plan(this.#env, expr);
    return (bindings) => {
      this.#matching.spent = 0;
      const result = this.#manyErrors ? withoutStacks(() => evaluate(bindings)) : evaluate(bindings);
      const verdict = typeof result === 'boolean' ? result : new Fault(result);
      const { spent, limit } = this.#matching;
      return { verdict, matching: spent, isCutShort: spent > limit };
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

/** The library makes an Error of each field that is not there; nobody ever sees where. */
function withoutStacks<T>(work: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return work();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** @throws PolicyError for what is no CEL expression, or too long a one */
export function parseCondition(expression: string): Expr {
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

/**
 * @param steps at worst
 * @param where they are that many, for the message
 * @throws PolicyError where they are more than `limit`, or no number
 */
export function demandAffordable(steps: number, limit: number, where = ''): void {
  // Written so that what is no number is refused as well.
  if (steps <= limit) return;
  throw new PolicyError(
    'ERR_CONDITION_COST',
    `the condition may cost ${Math.ceil(steps)} steps${where}; at most ${limit} are allowed. What costs are lists in lists, long regular expressions, and text searched in long text`,
  );
}
