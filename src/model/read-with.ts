// Reads a value with a zod schema; what does not fit becomes issues with the path of the field.

import type { z } from 'zod';
import { type Issue, valueAt } from './manifest.ts';
import { formatPath, quote } from './problem.ts';

/** As for custom resources: more errors than this for one object help nobody. */
const maxIssues = 20;

/** `at` is where `input` stands in its manifest. */
export function readWith<T>(
  schema: z.ZodType<T>,
  input: unknown,
  at: readonly string[] = [],
): { readonly value: T | undefined; readonly issues: readonly Issue[] } {
  const result = schema.safeParse(input);
  if (result.success) return { value: result.data, issues: [] };
  return {
    value: undefined,
    issues: result.error.issues.slice(0, maxIssues).flatMap((each) => toIssues(each, input, at)),
  };
}

function toIssues(problem: z.core.$ZodIssue, input: unknown, at: readonly string[]): readonly Issue[] {
  const inside = problem.path.map((step) => (typeof step === 'symbol' ? String(step) : step));
  const path = [...at, ...inside];
  if (problem.code !== 'unrecognized_keys') return [toIssue(problem, input, { path, inside })];
  return problem.keys.slice(0, maxIssues).map((key) => {
    const field = [...path, key];
    return {
      severity: 'error',
      code: 'UnknownField',
      path: field,
      message: `${formatPath(field)}: ${problem.message}`,
    };
  });
}

function toIssue(
  problem: z.core.$ZodIssue,
  input: unknown,
  { path, inside }: { readonly path: Issue['path']; readonly inside: Issue['path'] },
): Issue {
  const found = valueAt(input, inside);
  if (found === undefined) {
    const message = `${formatPath(path)}: missing; it is required here`;
    return { severity: 'error', code: 'MissingField', path, message };
  }
  const shown = typeof found === 'object' && found !== null ? '' : ` (found ${quote(found)})`;
  return {
    severity: 'error',
    code: path.at(-1) === 'name' || path.at(-1) === 'namespace' ? 'InvalidName' : 'InvalidField',
    path,
    message: `${path.length === 0 ? '' : `${formatPath(path)}: `}${problem.message}${shown}`,
  };
}
