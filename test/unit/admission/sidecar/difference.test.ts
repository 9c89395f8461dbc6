import { expect, test } from 'vitest';
import { describeDifference, firstDifference } from '../../../../src/admission/sidecar/difference.ts';

test.each([
  [1, 1],
  [null, null],
  [
    { a: 1, b: [1, { c: 2 }] },
    { b: [1, { c: 2 }], a: 1 },
  ],
  [{ a: undefined }, {}],
  [[], []],
])('%j and %j are equal', (a, b) => {
  expect(firstDifference(a, b)).toBeUndefined();
  expect(firstDifference(b, a)).toBeUndefined();
});

test.each([
  [1, '1', []],
  [0, false, []],
  [null, {}, []],
  [[], {}, []],
  [{}, [], []],
  [[1], [1, 2], [1]],
  [[1, 2], [2, 1], [0]],
  [{ a: { b: 1 } }, { a: { b: 2 } }, ['a', 'b']],
  [{ a: 1 }, {}, ['a']],
  [{}, { constructor: 1 }, ['constructor']],
  [{ a: {} }, { a: null }, ['a']],
])('%j and %j differ at %j', (a, b, path) => {
  expect(firstDifference(a, b)).toMatchObject({ path });
  expect(firstDifference(b, a)).toMatchObject({ path });
});

test('is told in words', () => {
  const told = (expected: unknown, found: unknown) => {
    const difference = firstDifference(expected, found, ['spec']);
    return difference === undefined ? undefined : describeDifference(difference);
  };
  expect(told({ a: 1 }, {})).toBe('spec.a is missing');
  expect(told({}, { a: 1 })).toBe('spec.a should not be there');
  expect(told({ a: [1] }, { a: ['x'] })).toBe('spec.a[0] is "x" and should be 1');
});
