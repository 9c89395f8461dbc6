// One walk over a parsed condition: what it reads, whether what it says can be true, what it costs.
//
// The expression is rewritten on the way: `request.headers['x-tenant']` becomes one variable of that name. What is
// evaluated therefore cannot read anything that has not been found here, whatever else the walk may get wrong.

import { PolicyError } from '../errors.ts';
import { type Amount, most, plus } from './amount.ts';
import { type Cost, costOfAll, stepCost, sumOf } from './cost.ts';
import { constantShape, type Expr, type Node, stringConstant } from './expression.ts';
import { callFacts, checkKinds, isFallible } from './functions.ts';
import { maxDepth } from './limits.ts';
import {
  collection,
  elementsOf,
  isCollection,
  iterationsOver,
  kindName,
  repeated,
  type Shape,
  scalar,
  text,
  traversal,
} from './shape.ts';
import type { Scope, Vocabulary } from './vocabulary.ts';

type Call = Node<'callExpr'>;
type Struct = Node<'structExpr'>;
type Comprehension = Node<'comprehensionExpr'>;

export interface AnalysisContext {
  readonly vocabulary: Vocabulary;
  isFunction(name: string): boolean;
  /** What an error costs where it is made: every look-up and every call may end in one, for each element anew. */
  readonly errorCost: number;
  /** What matching a text of so many characters costs. @throws PolicyError for a regular expression that is not taken */
  patternCost(source: string, chars: number): number;
}

export interface Analysed {
  readonly expr: Expr;
  readonly shape: Shape;
  readonly cost: Cost;
}

/** Of what is looked up and nothing else. */
const oneStep = stepCost(1);

const typeNames: ReadonlySet<string> = new Set([
  'bool',
  'bytes',
  'double',
  'int',
  'list',
  'map',
  'null_type',
  'string',
  'type',
  'uint',
]);

export class Analysis {
  readonly #context: AnalysisContext;
  readonly #vocabulary: Vocabulary;

  constructor(context: AnalysisContext) {
    this.#context = context;
    this.#vocabulary = context.vocabulary;
  }

  /** @throws PolicyError */
  analyse(expr: Expr): Analysed {
    return this.#walk(expr, new Map(), 1);
  }

  #walk(expr: Expr, scope: Scope, depth: number): Analysed {
    if (depth > maxDepth) {
      throw new PolicyError(
        'ERR_CONDITION_COST',
        `the condition is nested more than ${maxDepth} levels deep; write x in [a, b, c] instead of long chains`,
      );
    }
    const taken = this.#vocabulary.take(expr, scope);
    if (taken !== undefined) return { ...taken, cost: oneStep };
    const { exprKind } = expr;
    switch (exprKind.case) {
      case 'constExpr':
        return { expr, shape: constantShape(exprKind.value), cost: oneStep };
      case 'identExpr':
        return this.#identifier(expr, exprKind.value.name, scope);
      case 'selectExpr':
        return this.#select(expr, exprKind.value, scope, depth);
      case 'callExpr':
        return this.#call(expr, exprKind.value, scope, depth);
      case 'listExpr':
        return this.#list(expr, exprKind.value, scope, depth);
      case 'structExpr':
        return this.#map(expr, exprKind.value, scope, depth);
      case 'comprehensionExpr':
        return this.#comprehension(expr, exprKind.value, scope, depth);
      default:
        throw new PolicyError('ERR_CONDITION_SYNTAX', 'the condition is incomplete');
    }
  }

  #identifier(expr: Expr, name: string, scope: Scope): Analysed {
    const local = scope.get(name);
    if (local !== undefined) return { expr, shape: local, cost: oneStep };
    if (typeNames.has(name)) return { expr, shape: scalar('type'), cost: oneStep };
    throw this.#vocabulary.refuse(name);
  }

  #select(expr: Expr, select: Node<'selectExpr'>, scope: Scope, depth: number): Analysed {
    if (select.operand === undefined) throw new PolicyError('ERR_CONDITION_SYNTAX', 'a field of nothing');
    const operand = this.#walk(select.operand, scope, depth + 1);
    if (operand.shape.kind !== 'map' && operand.shape.kind !== 'dyn') {
      throw new PolicyError(
        'ERR_CONDITION_TYPE',
        `${kindName(operand.shape)} has no field "${select.field}"`,
      );
    }
    const facts = callFacts('_[_]', [operand.shape, text(select.field.length)]);
    return {
      expr: { ...expr, exprKind: { case: 'selectExpr', value: { ...select, operand: operand.expr } } },
      shape: select.testOnly ? scalar('bool') : facts.shape,
      cost: sumOf([operand.cost, stepCost(facts.cost), stepCost(this.#context.errorCost)]),
    };
  }

  #call(expr: Expr, call: Call, scope: Scope, depth: number): Analysed {
    if (!this.#context.isFunction(call.function)) {
      throw new PolicyError('ERR_CONDITION_NAME', `there is no function "${call.function}"`);
    }
    this.#vocabulary.check(call, scope);
    const target = call.target === undefined ? undefined : this.#walk(call.target, scope, depth + 1);
    const args = call.args.map((arg) => this.#walk(arg, scope, depth + 1));
    const all = target === undefined ? args : [target, ...args];
    checkKinds(call.function, shapesOf(all));
    const facts = callFacts(call.function, shapesOf(all));
    const value = {
      ...call,
      args: args.map((arg) => arg.expr),
      ...(target === undefined ? {} : { target: target.expr }),
    };
    return {
      expr: { ...expr, exprKind: { case: 'callExpr', value } },
      shape: facts.shape,
      cost: sumOf([
        ...costsOf(all),
        { steps: facts.cost, matching: this.#matchCost(call, all[0]?.shape) },
        stepCost(isFallible(call.function, shapesOf(all)) ? this.#context.errorCost : 0),
      ]),
    };
  }

  #matchCost(call: Call, subject: Shape | undefined): number {
    if (call.function !== 'matches') return 0;
    const source = stringConstant(call.args[0]);
    if (source === undefined) {
      throw new PolicyError(
        'ERR_CONDITION_TYPE',
        "the regular expression of matches() must be written out: x.matches('^a+$')",
      );
    }
    return this.#context.patternCost(source, most(subject?.size ?? 0));
  }

  #list(expr: Expr, list: Node<'listExpr'>, scope: Scope, depth: number): Analysed {
    const walked = list.elements.map((element) => this.#walk(element, scope, depth + 1));
    const value = { ...list, elements: walked.map((element) => element.expr) };
    return {
      expr: { ...expr, exprKind: { case: 'listExpr', value } },
      shape: collection('list', shapesOf(walked), totalSize(walked)),
      cost: sumOf([oneStep, ...costsOf(walked)]),
    };
  }

  #map(expr: Expr, struct: Struct, scope: Scope, depth: number): Analysed {
    if (struct.messageName !== '') {
      throw new PolicyError(
        'ERR_CONDITION_NAME',
        `there is no type "${struct.messageName}" to make a value of`,
      );
    }
    const keys: Analysed[] = [];
    const values: Analysed[] = [];
    const entries = struct.entries.map((entry) => {
      if (entry.keyKind.case !== 'mapKey' || entry.value === undefined) {
        throw new PolicyError('ERR_CONDITION_SYNTAX', 'an entry of a map is not key and value');
      }
      const key = this.#walk(entry.keyKind.value, scope, depth + 1);
      const value = this.#walk(entry.value, scope, depth + 1);
      keys.push(key);
      values.push(value);
      return { ...entry, keyKind: { case: 'mapKey' as const, value: key.expr }, value: value.expr };
    });
    const all = [...keys, ...values];
    return {
      expr: { ...expr, exprKind: { case: 'structExpr', value: { ...struct, entries } } },
      shape: collection('map', shapesOf(keys), totalSize(all)),
      cost: sumOf([oneStep, ...costsOf(all)]),
    };
  }

  /** A macro: all, exists, exists_one, map, filter. */
  #comprehension(expr: Expr, fold: Comprehension, scope: Scope, depth: number): Analysed {
    const { iterVar, accuVar } = fold;
    if (this.#vocabulary.isRoot(iterVar) || typeNames.has(iterVar)) {
      throw new PolicyError(
        'ERR_CONDITION_NAME',
        `"${iterVar}" already means something else; give the variable another name`,
      );
    }
    const walk = (part: Expr | undefined, inner: Scope): Analysed => {
      if (part === undefined) throw new PolicyError('ERR_CONDITION_SYNTAX', 'an incomplete macro');
      return this.#walk(part, inner, depth + 1);
    };
    const range = walk(fold.iterRange, scope);
    if (!isCollection(range.shape)) {
      throw new PolicyError('ERR_CONDITION_TYPE', `${kindName(range.shape)} has no elements to go through`);
    }
    const init = walk(fold.accuInit, scope);
    const { shape: element, own } = elementsOf(range.shape);
    const times = iterationsOver(range.shape);
    const inner = new Map([...scope, [iterVar, element], [accuVar, init.shape]]);
    const condition = walk(fold.loopCondition, inner);
    const step = walk(fold.loopStep, inner);
    const accumulated = repeated(step.shape, times, own);
    const result = walk(fold.result, new Map([...scope, [accuVar, accumulated]]));
    const value: Comprehension = {
      ...fold,
      iterRange: range.expr,
      accuInit: init.expr,
      loopCondition: condition.expr,
      loopStep: step.expr,
      result: result.expr,
    };
    const each = sumOf([stepCost(5), condition.cost, step.cost]);
    const loop = sumOf([stepCost(traversal(range.shape)), costOfAll(times, each, own)]);
    return {
      expr: { ...expr, exprKind: { case: 'comprehensionExpr', value } },
      shape: result.shape,
      cost: sumOf([init.cost, range.cost, loop, result.cost]),
    };
  }
}

function shapesOf(parts: readonly Analysed[]): readonly Shape[] {
  return parts.map(({ shape }) => shape);
}

function costsOf(parts: readonly Analysed[]): readonly Cost[] {
  return parts.map(({ cost }) => cost);
}

/** Of a collection of these: itself counts for one. */
function totalSize(parts: readonly Analysed[]): Amount {
  return parts.reduce<Amount>((sum, { shape }) => plus(sum, shape.size), 1);
}
