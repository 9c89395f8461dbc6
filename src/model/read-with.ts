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
    issues: result.error.issues.slice(0, maxIssues).map((each) => toIssue(each, input, at)),
  };
}

function toIssue(problem: z.core.$ZodIssue, input: unknown, at: readonly string[]): Issue {
  const inside = problem.path.map((step) => (typeof step === 'symbol' ? String(step) : step));
  const path = [...at, ...inside];
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
    message: `${formatPath(path)}: ${problem.message}${shown}`,
  };
}
