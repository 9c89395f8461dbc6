// The parsed form of CEL (cel.expr.Expr), as far as the analysis takes it apart and puts it together.

import type { parse } from '@bufbuild/cel';
import { type Shape, scalar, text } from './shape.ts';

export type Expr = ReturnType<typeof parse>['expr'];
type Kinds = Expr['exprKind'];
/** The content of one kind of expression. */
export type Node<Case extends Kinds['case']> = NonNullable<Extract<Kinds, { case: Case }>['value']>;

/** The same place in the source, but a variable. */
export function identifier(expr: Expr, name: string): Expr {
  return { ...expr, exprKind: { case: 'identExpr', value: { $typeName: 'cel.expr.Expr.Ident', name } } };
}

export function stringConstant(expr: Expr | undefined): string | undefined {
  if (expr?.exprKind.case !== 'constExpr') return undefined;
  const { constantKind } = expr.exprKind.value;
  return constantKind.case === 'stringValue' ? constantKind.value : undefined;
}

/**
 * The names in `root.a.b` or `root['a'].b`, whichever way they are written; undefined where the expression is anything
 * else. @param isRoot whether a name is one to begin with
 */
export function constantPath(
  expr: Expr | undefined,
  isRoot: (name: string) => boolean,
): readonly string[] | undefined {
  const names: string[] = [];
  let at = expr;
  while (at !== undefined) {
    const { exprKind } = at;
    if (exprKind.case === 'identExpr') {
      return isRoot(exprKind.value.name) ? [exprKind.value.name, ...names.reverse()] : undefined;
    }
    if (exprKind.case === 'selectExpr' && !exprKind.value.testOnly) {
      names.push(exprKind.value.field);
      at = exprKind.value.operand;
    } else if (exprKind.case === 'callExpr' && exprKind.value.function === '_[_]') {
      const [operand, index] = exprKind.value.args;
      const name = stringConstant(index);
      if (name === undefined) return undefined;
      names.push(name);
      at = operand;
    } else {
      return undefined;
    }
  }
  return undefined;
}

export function constantShape({ constantKind }: Node<'constExpr'>): Shape {
  switch (constantKind.case) {
    case 'stringValue':
      return text(constantKind.value.length);
    case 'bytesValue':
      return scalar('bytes', constantKind.value.length);
    case 'boolValue':
      return scalar('bool');
    case 'int64Value':
      return scalar('int');
    case 'uint64Value':
      return scalar('uint');
    case 'doubleValue':
      return scalar('double');
    case 'nullValue':
      return scalar('null');
    default:
      return scalar('dyn');
  }
}
