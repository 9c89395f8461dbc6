// Where two JSON values differ first.

import { isRecord, ownField } from '../../model/manifest.ts';
import { formatPath, quote } from '../../model/problem.ts';

export interface Difference {
  /** From the root of the values. */
  readonly path: readonly (string | number)[];
  /** Undefined: there is none. */
  readonly expected: unknown;
  readonly found: unknown;
}

/**
 * Undefined where there is none. Objects are equal whatever the order of their fields; a field that is undefined is none.
 * @param path of the values themselves
 */
export function firstDifference(
  expected: unknown,
  found: unknown,
  path: Difference['path'] = [],
): Difference | undefined {
  const difference = differenceOf(expected, found);
  return difference && { ...difference, path: [...path, ...difference.path] };
}

/** Paths are made where there is a difference: nearly all that is compared has none. */
function differenceOf(expected: unknown, found: unknown): Difference | undefined {
  if (Array.isArray(expected) && Array.isArray(found)) {
    return first(longer(expected, found).keys(), (index) => differenceOf(expected[index], found[index]));
  }
  if (isRecord(expected) && isRecord(found)) {
    const difference = (field: string) => differenceOf(ownField(expected, field), ownField(found, field));
    return first(Object.keys(expected), difference) ?? first(Object.keys(found), difference, expected);
  }
  return expected === found ? undefined : { path: [], expected, found };
}

/** `volumeMounts[2] should not be there`, `runAsUser is 0 and should be 1337` */
export function describeDifference({ path, expected, found }: Difference): string {
  const field = formatPath(path);
  if (expected === undefined) return `${field} should not be there`;
  if (found === undefined) return `${field} is missing`;
  return `${field} is ${quote(found)} and should be ${quote(expected)}`;
}

function longer<T>(a: readonly T[], b: readonly T[]): readonly T[] {
  return a.length >= b.length ? a : b;
}

/** @param less what was compared already */
function first<Key extends string | number>(
  keys: Iterable<Key>,
  differenceAt: (key: Key) => Difference | undefined,
  less: object = {},
): Difference | undefined {
  for (const key of keys) {
    if (Object.hasOwn(less, key)) continue;
    const difference = differenceAt(key);
    if (difference !== undefined) return { ...difference, path: [key, ...difference.path] };
  }
  return undefined;
}
