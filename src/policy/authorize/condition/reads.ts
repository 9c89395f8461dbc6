// Which parts of a request a condition reads.

import {
  constantPath,
  type Expr,
  identifier,
  type Node,
  stringConstant,
} from '../../condition/expression.ts';
import { type Shape, scalar } from '../../condition/shape.ts';
import {
  bareRoot,
  type Scope,
  type Taken,
  unknownName,
  type Vocabulary,
} from '../../condition/vocabulary.ts';
import { PolicyError } from '../../errors.ts';
import {
  checkHeaderName,
  fieldsOf,
  findVariable,
  headerShape,
  headersByNameOnly,
  isHeaders,
  isRoot,
  rootNames,
  type Variable,
  variables,
} from './variables.ts';

export interface ConditionReads {
  readonly variables: readonly Variable[];
  readonly headers: readonly HeaderRead[];
}

interface HeaderRead {
  /** In lower case. */
  readonly name: string;
  /** Under which name evaluation finds its value, and whether there is one. */
  readonly value: string;
  readonly presence: string;
}

const headerVariable = (name: string): string => `request.headers.${name}`;
const headerPresence = (name: string): string => `request.headers?${name}`;

export class ReadCollector implements Vocabulary {
  readonly #variables = new Set<Variable>();
  readonly #headers = new Set<string>();
  readonly #withToken: boolean;

  /** @param withToken false in a rule without `token` */
  constructor(withToken: boolean) {
    this.#withToken = withToken;
  }

  result(): ConditionReads {
    return {
      variables: [...this.#variables],
      headers: [...this.#headers].map((name) => ({
        name,
        value: headerVariable(name),
        presence: headerPresence(name),
      })),
    };
  }

  isRoot(name: string): boolean {
    return isRoot(name);
  }

  refuse(name: string): PolicyError {
    return isRoot(name) ? bareRoot(name, fieldsOf(name)) : unknownName(name, rootNames);
  }

  check(call: Node<'callExpr'>, scope: Scope): void {
    checkDash(call, scope);
  }

  /** Takes a whole variable, such as `request.path`, or a question whether there is a header. */
  take(expr: Expr, scope: Scope): Taken | undefined {
    const header = headerAsked(expr, scope);
    if (header !== undefined) return this.#header(expr, header, headerPresence(header), scalar('bool'));
    const path = pathOf(expr, scope);
    const [root = '', field = '', name] = path ?? [];
    switch (path?.length) {
      case 1:
        return root === 'now' ? this.#read(expr, 'now') : undefined;
      case 2:
        if (isHeaders(root, field)) throw headersByNameOnly();
        return this.#read(expr, findVariable(root, field));
      case 3:
        if (!isHeaders(root, field) || name === undefined) return undefined;
        return this.#header(expr, name, headerVariable(name), headerShape);
      default:
        return undefined;
    }
  }

  #header(expr: Expr, name: string, variable: string, shape: Shape): Taken {
    checkHeaderName(name);
    this.#headers.add(name);
    return { expr: identifier(expr, variable), shape };
  }

  #read(expr: Expr, variable: Variable): Taken {
    if (variable.startsWith('token.') && !this.#withToken) {
      throw new PolicyError(
        'ERR_CONDITION_NAME',
        `${variable} is read in a rule that asks for no token; add token: {} to the rule`,
      );
    }
    this.#variables.add(variable);
    return { expr: identifier(expr, variable), shape: variables[variable] };
  }
}

/** The name in `has(request.headers.x)` and `'x' in request.headers`. */
function headerAsked(expr: Expr, scope: Scope): string | undefined {
  const { exprKind } = expr;
  if (exprKind.case === 'selectExpr' && exprKind.value.testOnly) {
    const { operand, field } = exprKind.value;
    if (areHeaders(operand, scope)) return field;
    const path = pathOf(operand, scope);
    if (path?.length !== 1) return undefined;
    const [root = ''] = path;
    if (isHeaders(root, field)) throw headersByNameOnly();
    const variable = findVariable(root, field);
    throw new PolicyError(
      'ERR_CONDITION_TYPE',
      `${variable} is always there; has() is for headers and claims`,
    );
  }
  if (exprKind.case !== 'callExpr') return undefined;
  const { function: name, args } = exprKind.value;
  const [first, second] = args;
  // request.headers[<something that is no constant>]
  if (name === '_[_]' && areHeaders(first, scope) && stringConstant(second) === undefined)
    throw headersByNameOnly();
  if (name !== '@in' || !areHeaders(second, scope)) return undefined;
  const asked = stringConstant(first);
  if (asked === undefined) throw headersByNameOnly();
  return asked;
}

function pathOf(expr: Expr | undefined, scope: Scope): readonly string[] | undefined {
  return constantPath(expr, (name) => isRoot(name) && !scope.has(name));
}

function areHeaders(expr: Expr | undefined, scope: Scope): boolean {
  const path = pathOf(expr, scope);
  return path?.length === 2 && isHeaders(path[0] ?? '', path[1] ?? '');
}

/** `request.headers.user-agent` is a header minus a variable that nobody has heard of. */
function checkDash(call: Node<'callExpr'>, scope: Scope): void {
  const [left, right] = call.args;
  const path = call.function === '_-_' ? pathOf(left, scope) : undefined;
  if (path?.length !== 3 || !isHeaders(path[0] ?? '', path[1] ?? '') || right?.exprKind.case !== 'identExpr')
    return;
  throw new PolicyError(
    'ERR_CONDITION_NAME',
    `a name with a dash needs brackets: request.headers['${path[2]}-${right.exprKind.value.name}']`,
  );
}
