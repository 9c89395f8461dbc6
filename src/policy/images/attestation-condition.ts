// Conditions on attestations: CEL over the statement that was signed. Anything but true is a reason to deny, in a sentence.

import type { CelInput } from '@bufbuild/cel';
import { firstLine } from '../../model/problem.ts';
import { most } from '../condition/amount.ts';
import {
  type Bindings,
  ConditionEngine,
  demandAffordable,
  emptyBindings,
  type Fault,
  type Program,
  parseCondition,
} from '../condition/engine.ts';
import type { Expr } from '../condition/expression.ts';
import { celJson, type JsonLimits, type JsonSize } from '../condition/json.ts';
import {
  maxAttestationCost,
  maxAttestationMatching,
  maxPredicateTypeChars,
  maxSubjectNameChars,
  ordinaryPredicate,
  predicateLimits,
  subjectDigestLimits,
} from './attestation-limits.ts';
import { type AttestationVariable, AttestationVocabulary } from './attestation-vocabulary.ts';

/** What a condition is asked about: an in-toto statement, as it was signed. */
export interface AttestedStatement {
  readonly predicateType: string;
  /** Parsed JSON. */
  readonly predicate: unknown;
  readonly subject: {
    readonly name?: string | undefined;
    /** Hex, by the name of the algorithm. */
    readonly digest: Readonly<Record<string, string>>;
  };
}

export interface AttestationCondition {
  /** The expression. */
  readonly text: string;
  /** @returns true, or why not: one line, in words that are fit for a log */
  holds(statement: AttestedStatement): true | string;
}

/** @throws PolicyError that says what is wrong with the expression */
export function compileAttestationCondition(text: string): AttestationCondition {
  const engine = new ConditionEngine({ maxMatching: maxAttestationMatching, manyErrors: true });
  const source = parseCondition(text);
  const vocabulary = new AttestationVocabulary(ordinaryPredicate);
  const { expr, cost } = engine.analyse(source, vocabulary);
  demandAffordable(most(cost.steps), maxAttestationCost, ` on ${sizeOf(ordinaryPredicate)}`);
  const program = engine.program(expr);
  return {
    text,
    holds: (statement) => {
      const bound = bind(statement, vocabulary.reads);
      if (typeof bound === 'string') return bound;
      const { size } = bound;
      return (size && tooCostly(engine, source, size)) ?? judge(program, bound.bindings);
    },
  };
}

/** Whether evaluating could take too long on a predicate of this size; in a sentence, undefined: it could not. */
function tooCostly(engine: ConditionEngine, source: Expr, size: JsonSize): string | undefined {
  const steps = most(engine.analyse(source, new AttestationVocabulary(size)).cost.steps);
  // Written so that what is no number is refused as well.
  if (steps <= maxAttestationCost) return undefined;
  return `the condition may cost ${Math.ceil(steps)} steps on ${sizeOf(size)}, as this one is; at most ${maxAttestationCost} are allowed`;
}

function sizeOf({ values, chars }: JsonSize): string {
  return `a predicate of ${values} values and ${chars} characters`;
}

function judge(program: Program, bindings: Bindings): true | string {
  const { verdict, isCutShort } = program(bindings);
  if (isCutShort) {
    return `the regular expressions of the condition cost more than ${maxAttestationMatching} steps on this predicate`;
  }
  if (verdict === true) return true;
  return verdict === false
    ? 'the condition is false'
    : `the condition came to no answer: ${sentenceOf(verdict)}`;
}

function sentenceOf({ reason }: Fault): string {
  // The one variable that need not be there.
  if (reason === 'unresolved attribute') return 'there is no subject.name; has(subject.name) asks first';
  const quoted = firstLine(reason);
  return reason.startsWith('field not found') ? `${quoted}; has() asks first` : quoted;
}

interface Bound {
  readonly bindings: Bindings;
  /** Of the predicate, where it is read. */
  readonly size: JsonSize | undefined;
}

/** The values that are read, or what is too large of them. */
function bind(
  { predicate, predicateType, subject }: AttestedStatement,
  reads: ReadonlySet<AttestationVariable>,
): Bound | string {
  const bindings = emptyBindings();
  let size: JsonSize | undefined;
  for (const variable of reads) {
    switch (variable) {
      case 'predicate': {
        const converted = celJson(predicate, predicateLimits, celNumber);
        if (typeof converted === 'string') return tooLarge('predicate', converted, predicateLimits);
        bindings[variable] = converted.value;
        size = converted.size;
        break;
      }
      case 'subject.digest': {
        const converted = celJson(subject.digest, subjectDigestLimits, celNumber);
        if (typeof converted === 'string') return tooLarge('subject.digest', converted, subjectDigestLimits);
        bindings[variable] = converted.value;
        break;
      }
      case 'predicateType':
        if (predicateType.length > maxPredicateTypeChars) return tooLong(variable, maxPredicateTypeChars);
        bindings[variable] = predicateType;
        break;
      case 'subject.name':
        if (subject.name === undefined) break;
        if (subject.name.length > maxSubjectNameChars) return tooLong(variable, maxSubjectNameChars);
        bindings[variable] = subject.name;
        break;
      case 'subject?name':
        bindings[variable] = subject.name !== undefined;
        break;
    }
  }
  return { bindings, size };
}

/**
 * Whole numbers are ints, as in manifests, so that they can be counted with and be an index; numbers of every kind compare with each
 * other. Beyond 2^53 the digits are not what was written any more.
 */
function celNumber(value: number): CelInput {
  return Number.isSafeInteger(value) ? BigInt(value) : value;
}

const limitNames: Readonly<Record<keyof JsonLimits, string>> = {
  values: 'values',
  depth: 'levels',
  charsOfText: 'characters in one text',
  chars: 'characters',
};

function tooLarge(what: string, limit: keyof JsonLimits, limits: JsonLimits): string {
  return `${what} is too large for a condition: it has more than ${limits[limit]} ${limitNames[limit]}`;
}

function tooLong(what: string, limit: number): string {
  return `${what} is too large for a condition: it has more than ${limit} characters`;
}
