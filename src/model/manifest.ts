// An object as somebody wrote it: any JSON value, and where its fields stand.

import type { FieldPath, Origin, Problem, ProblemCode } from './problem.ts';

export interface Manifest {
  /** One object (never a List). It must not be changed afterwards: what it parses to is remembered by its identity. */
  readonly content: unknown;
  /** Where a field stands, or the nearest thing above it that does; absent when there is no text, as from the API server. */
  readonly locate?: (path: FieldPath) => Origin;
}

/** Something wrong with one manifest, seen without knowing where that came from. */
export interface Issue {
  readonly severity: Problem['severity'];
  readonly code: ProblemCode;
  readonly path: FieldPath;
  readonly message: string;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An own property, so that `constructor` and `__proto__` are names like any other. */
export function ownField(value: unknown, key: string): unknown {
  return isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

/** The value at a path; undefined when a step is missing. */
export function valueAt(content: unknown, path: FieldPath): unknown {
  let value = content;
  for (const step of path) {
    value =
      typeof step === 'number' ? (Array.isArray(value) ? value[step] : undefined) : ownField(value, step);
  }
  return value;
}
