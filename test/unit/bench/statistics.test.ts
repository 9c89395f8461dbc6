import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pairedRatio, quantile, spread } from '../../../bench/measure/statistics.ts';

const figures = fc.array(fc.double({ min: 0.001, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 20 });

describe('spread', () => {
  test.each([
    [[3], { median: 3, min: 3, max: 3 }],
    [[9, 1, 5], { median: 5, min: 1, max: 9 }],
    [[10, 1, 100, 4], { median: 7, min: 1, max: 100 }],
  ])('of %j', (values, expected) => {
    expect(spread(values)).toEqual(expected);
  });

  test('no values', () => {
    expect(() => spread([])).toThrow(RangeError);
  });
});

describe('pairedRatio', () => {
  test('compares round with round: a slow one slows both', () => {
    expect(pairedRatio([1, 10, 2], [2, 20, 4])).toBe(0.5);
  });

  test('of anything and itself is 1', () => {
    fc.assert(
      fc.property(figures, (values) => {
        expect(pairedRatio(values, values)).toBe(1);
      }),
    );
  });

  test('refuses rounds of different number', () => {
    expect(() => pairedRatio([1, 2], [1])).toThrow(RangeError);
  });
});

describe('quantile', () => {
  test.each([
    [0.5, 50],
    [0.99, 99],
    [1, 100],
    [0, 1],
  ])('%d of the numbers to 100', (share, expected) => {
    const shuffled = Array.from({ length: 100 }, (_, index) => ((index * 37) % 100) + 1);
    expect(quantile(shuffled, share)).toBe(expected);
  });

  test('is one of the values, and at least that share is no greater', () => {
    fc.assert(
      fc.property(figures, fc.double({ min: 0, max: 1, noNaN: true }), (values, share) => {
        const found = quantile(values, share);
        expect(values).toContain(found);
        expect(values.filter((value) => value <= found).length).toBeGreaterThanOrEqual(
          share * values.length - 1e-9,
        );
      }),
    );
  });

  test('no values', () => {
    expect(() => quantile([], 0.5)).toThrow(RangeError);
  });
});
