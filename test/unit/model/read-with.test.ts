import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { readWith } from '../../../src/model/read-with.ts';

const schema = z.strictObject({ name: z.string(), inner: z.strictObject({ port: z.number() }).optional() });
const issuesOf = (input: unknown, at: readonly string[] = []) => {
  const { value, issues } = readWith(schema, input, at);
  expect(value).toBeUndefined();
  return issues.map(({ code, path, message }) => [code, path, message]);
};

test('what fits is its value', () => {
  expect(readWith(schema, { name: 'a' })).toEqual({ value: { name: 'a' }, issues: [] });
});

describe('what does not fit names its place', () => {
  test('a field of another type, and one that is missing', () => {
    expect(issuesOf({ inner: { port: 'x' } }, ['spec'])).toEqual([
      ['MissingField', ['spec', 'name'], 'spec.name: missing; it is required here'],
      [
        'InvalidField',
        ['spec', 'inner', 'port'],
        'spec.inner.port: Invalid input: expected number, received string (found "x")',
      ],
    ]);
  });

  test('each field that there is not, by itself', () => {
    expect(issuesOf({ name: 'a', nam: 1, 'x y': 2, inner: { port: 1, prot: 2 } })).toEqual([
      ['UnknownField', ['inner', 'prot'], expect.stringMatching(/^inner\.prot: /)],
      ['UnknownField', ['nam'], expect.stringMatching(/^nam: /)],
      ['UnknownField', ['x y'], expect.stringMatching(/^\["x y"\]: /)],
    ]);
  });

  test('no more of them than help', () => {
    const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`f${index}`, 1]));
    expect(issuesOf({ name: 'a', ...many })).toHaveLength(20);
  });

  test('the whole, which has no name', () => {
    expect(issuesOf([])).toEqual([['InvalidField', [], 'Invalid input: expected object, received array']]);
  });
});
