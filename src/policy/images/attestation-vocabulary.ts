// What a condition on an attestation reads: the statement that was signed.

import { constantPath, type Expr, identifier, type Node } from '../condition/expression.ts';
import type { JsonSize } from '../condition/json.ts';
import { documentOf, type Shape, scalar, text } from '../condition/shape.ts';
import {
  bareRoot,
  type Scope,
  type Taken,
  unknownField,
  unknownName,
  type Vocabulary,
} from '../condition/vocabulary.ts';
import { PolicyError } from '../errors.ts';
import { maxPredicateTypeChars, maxSubjectNameChars, subjectDigestLimits } from './attestation-limits.ts';

/** Under which names evaluation finds what is read. */
export type AttestationVariable =
  | 'predicate'
  | 'predicateType'
  | 'subject.name'
  /** Whether there is one. */
  | 'subject?name'
  | 'subject.digest';

const roots: readonly string[] = ['predicate', 'predicateType', 'subject'];
const subjectFields: readonly string[] = ['name', 'digest'];

/** Collects what is read. */
export class AttestationVocabulary implements Vocabulary {
  readonly reads = new Set<AttestationVariable>();
  readonly #predicate: Shape;

  constructor(predicate: JsonSize) {
    this.#predicate = documentOf(predicate);
  }

  isRoot(name: string): boolean {
    return roots.includes(name);
  }

  refuse(name: string): PolicyError {
    return this.isRoot(name) ? bareRoot(name, subjectFields) : unknownName(name, roots);
  }

  take(expr: Expr, scope: Scope): Taken | undefined {
    const asked = this.#presenceAsked(expr, scope);
    if (asked !== undefined) return asked;
    const [root, field, ...rest] = this.#pathOf(expr, scope) ?? [];
    if (field === undefined) {
      if (root === 'predicate') return this.#read(expr, 'predicate', this.#predicate);
      if (root === 'predicateType') return this.#read(expr, 'predicateType', text(maxPredicateTypeChars));
      return undefined;
    }
    if (root !== 'subject' || rest.length > 0) return undefined;
    if (field === 'name') return this.#read(expr, 'subject.name', text(maxSubjectNameChars));
    if (field === 'digest') return this.#read(expr, 'subject.digest', digestShape);
    throw unknownField(root, field, subjectFields);
  }

  /** `predicate.build-type` is a field minus a variable that nobody has heard of. */
  check(call: Node<'callExpr'>, scope: Scope): void {
    const [left, right] = call.args;
    if (call.function !== '_-_' || right?.exprKind.case !== 'identExpr') return;
    const { name } = right.exprKind.value;
    const path = this.#pathOf(left, scope);
    if (path === undefined || path.length < 2 || scope.has(name) || this.isRoot(name)) return;
    throw new PolicyError(
      'ERR_CONDITION_NAME',
      `a name with a dash needs brackets: ${path.slice(0, -1).join('.')}['${path.at(-1)}-${name}']`,
    );
  }

  /** `has(subject.name)` */
  #presenceAsked(expr: Expr, scope: Scope): Taken | undefined {
    const { exprKind } = expr;
    if (exprKind.case !== 'selectExpr' || !exprKind.value.testOnly) return undefined;
    const { operand, field } = exprKind.value;
    const path = this.#pathOf(operand, scope);
    if (path?.length !== 1 || path[0] !== 'subject') return undefined;
    if (field === 'name') return this.#read(expr, 'subject?name', scalar('bool'));
    if (!subjectFields.includes(field)) throw unknownField('subject', field, subjectFields);
    throw new PolicyError(
      'ERR_CONDITION_TYPE',
      `subject.${field} is always there; has() is for subject.name and for what is in the predicate`,
    );
  }

  #pathOf(expr: Expr | undefined, scope: Scope): readonly string[] | undefined {
    return constantPath(expr, (name) => this.isRoot(name) && !scope.has(name));
  }

  #read(expr: Expr, variable: AttestationVariable, shape: Shape): Taken {
    this.reads.add(variable);
    return { expr: identifier(expr, variable), shape };
  }
}

const digestShape = documentOf({
  values: subjectDigestLimits.values,
  chars: subjectDigestLimits.chars,
  longest: subjectDigestLimits.charsOfText,
  widest: subjectDigestLimits.values,
});
