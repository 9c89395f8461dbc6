// What is wrong with a rule about images that its schema cannot say.

import type { FieldPath } from '../../model/problem.ts';
import { Pattern } from '../condition/pattern.ts';
import { PolicyError } from '../errors.ts';
import { compileAttestationCondition } from './attestation-condition.ts';
import { neverMatches } from './image-glob.ts';
import type { ImageRule } from './image-requirements.ts';
import { predicateTypeProblem } from './predicate-type.ts';

interface RuleProblem {
  /** From the rule. */
  readonly path: FieldPath;
  /** For its author. */
  readonly problem: string;
}

/** Every part of a rule by which nothing could be decided. @param rule that obeys the schema */
export function imageRuleProblems({
  match,
  authorities = [],
  attestations = [],
}: ImageRule): readonly RuleProblem[] {
  const checked: readonly { readonly path: FieldPath; readonly problem: string | undefined }[] = [
    ...match.map((glob, index) => ({ path: ['match', index], problem: neverMatches(glob) })),
    ...authorities.flatMap(({ keyless }, index) =>
      (['issuerRegExp', 'subjectRegExp'] as const).map((field) => ({
        path: ['authorities', index, 'keyless', field],
        problem: problemIn(keyless?.[field], checkPattern),
      })),
    ),
    ...attestations.map(({ predicateType }, index) => ({
      path: ['attestations', index, 'predicateType'],
      problem: predicateTypeProblem(predicateType),
    })),
    ...attestations.map(({ condition }, index) => ({
      path: ['attestations', index, 'condition'],
      problem: problemIn(condition, compileAttestationCondition),
    })),
  ];
  return checked.flatMap(({ path, problem }) => (problem === undefined ? [] : [{ path, problem }]));
}

function checkPattern(source: string): void {
  new Pattern(source, { spent: 0 });
}

/** What `compile` has against a text; undefined: nothing, or there is no text. */
function problemIn(text: string | undefined, compile: (text: string) => unknown): string | undefined {
  if (text === undefined) return undefined;
  try {
    compile(text);
    return undefined;
  } catch (error) {
    if (error instanceof PolicyError) return error.message;
    throw error;
  }
}
