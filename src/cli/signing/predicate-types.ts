// Predicate types on the command line: by the short names that cosign gives them, or by their URI.

import { InvalidArgumentError } from 'commander';
import { isPredicateType, predicateTypesByName } from '../../policy/images/predicate-type.ts';
import { signPredicateType } from '../../signing/format/statement.ts';

export const predicateTypeNames = Object.keys(predicateTypesByName).join(', ');

/** The URI of a short name, or the URI that was given. */
export function predicateType(text: string): string {
  const known = Object.entries(predicateTypesByName).find(([name]) => name === text)?.[1];
  if (known !== undefined) return known;
  // An attestation of that type would be a signature.
  if (text === signPredicateType)
    throw new InvalidArgumentError('that type is of signatures: see trellis sign and verify.');
  if (isPredicateType(text)) return text;
  throw new InvalidArgumentError(`give a URI, or one of ${predicateTypeNames}.`);
}
