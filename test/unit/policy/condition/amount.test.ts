import { describe, expect, test } from 'vitest';
import {
  anyOf,
  dividedBy,
  greatest,
  least,
  type Measure,
  measured,
  most,
  plus,
  times,
  totalOver,
} from '../../../../src/policy/condition/amount.ts';

/** The size of one element of a list whose elements come to 100 together; and of one element of such an element. */
const outer: Measure = { whole: 100 };
const inner: Measure = { whole: measured(outer) };
const size = measured(outer);

describe('an amount', () => {
  test('of numbers alone is a number', () => {
    expect(plus(1, 2)).toBe(3);
    expect(times(2, 3)).toBe(6);
    expect(dividedBy(6, 4)).toBe(1.5);
    expect(least(2, 3)).toBe(2);
    expect(greatest(2, 3)).toBe(3);
    expect(totalOver(4, 5, [outer])).toBe(20);
    expect(anyOf(5, [outer])).toBe(5);
  });

  test('with measures is at most what they can be', () => {
    expect(most(plus(7, times(3, size)))).toBe(307);
    expect(most(plus(size, measured(inner)))).toBe(200);
    expect(most(dividedBy(size, 4))).toBe(25);
    expect(most(times(size, 0))).toBe(0);
  });

  test('of all elements: what they are together, and the rest once for each', () => {
    expect(totalOver(10, plus(7, times(3, size)), [outer])).toBe(10 * 7 + 3 * 100);
    const nested = totalOver(size, plus(2, measured(inner)), [inner]);
    expect(most(nested)).toBe(2 * 100 + 100);
    expect(totalOver(10, nested, [outer])).toBe(2 * 100 + 100);
  });

  test('of another list is counted for each element of this one', () => {
    const other: Measure = { whole: 50 };
    const both = totalOver(10, plus(measured(other), size), [outer]);
    expect(most(both)).toBe(10 * 50 + 100);
    expect(totalOver(3, both, [other])).toBe(10 * 50 + 3 * 100);
  });

  test('of one element, seen from outside, is what the whole list is', () => {
    expect(anyOf(plus(7, times(3, size)), [outer])).toBe(307);
    expect(most(anyOf(measured(inner), [inner]))).toBe(100);
  });

  test('of two: no less than the product, the smaller, the larger', () => {
    expect(most(times(plus(2, size), plus(3, size)))).toBeGreaterThanOrEqual(102 * 103);
    expect(least(size, 5)).toBe(size);
    expect(least(5, size)).toBe(size);
    expect(least(times(2, size), size)).toBe(size);
    expect(most(greatest(size, 5))).toBeGreaterThanOrEqual(100);
    expect(greatest(size, size)).toBe(size);
  });
});
