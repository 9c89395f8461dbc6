// What the conditions of one kind can read: each kind brings its own, the rest of a condition is the same for all.

import { nearestName } from '../../model/nearest.ts';
import { PolicyError } from '../errors.ts';
import type { Expr, Node } from './expression.ts';
import type { Shape } from './shape.ts';

/** Local variables, by name. */
export type Scope = ReadonlyMap<string, Shape>;

/** A variable in place of the expression that reads it. */
export interface Taken {
  readonly expr: Expr;
  readonly shape: Shape;
}

export interface Vocabulary {
  /**
   * Takes an expression that as a whole reads one variable; undefined: it is something else.
   * @throws PolicyError for what cannot be read
   */
  take(expr: Expr, scope: Scope): Taken | undefined;
  /** Whether a name belongs to what is read, so that nothing else may have it. */
  isRoot(name: string): boolean;
  /** What is wrong with a name that stands by itself and is no variable. */
  refuse(name: string): PolicyError;
  /** @throws PolicyError for a call that is no more than a slip of the pen */
  check(call: Node<'callExpr'>, scope: Scope): void;
}

/** @param roots what there is to read */
export function unknownName(name: string, roots: readonly string[]): PolicyError {
  return new PolicyError(
    'ERR_CONDITION_NAME',
    `there is no "${name}".${didYouMean(name, roots)} A condition reads ${roots.join(', ')}`,
  );
}

/** @param fields those there are */
export function unknownField(root: string, field: string, fields: readonly string[]): PolicyError {
  return new PolicyError(
    'ERR_CONDITION_NAME',
    `${root} has no field "${field}".${didYouMean(field, fields)} It has ${fields.join(', ')}`,
  );
}

/** Of a root that has fields and is nothing without one. */
export function bareRoot(name: string, fields: readonly string[]): PolicyError {
  const [first = ''] = fields;
  return new PolicyError(
    'ERR_CONDITION_NAME',
    `${name} is no value by itself; write a field of it, such as ${name}.${first}`,
  );
}

function didYouMean(name: string, known: readonly string[]): string {
  const near = nearestName(name, known);
  return near === undefined ? '' : ` Did you mean "${near}"?`;
}
