import { describe, expect, test } from 'vitest';
import { Pattern } from '../../../../src/policy/condition/pattern.ts';
import { PolicyError } from '../../../../src/policy/errors.ts';

const pattern = (source: string) => new Pattern(source, { spent: 0 });

describe('a regular expression', () => {
  test('matches any part of the text, as CEL says, in the syntax of RE2', () => {
    expect(pattern('b+').test('abbc')).toBe(true);
    expect(pattern('^b+$').test('abbc')).toBe(false);
    expect(pattern('(?i)BB').test('abbc')).toBe(true);
  });

  test.each(['(', 'a**', '(?=a)', '(a)\\1', 'a{1001}'])('%s is refused', (source) => {
    expect(() => pattern(source)).toThrow(expect.objectContaining({ code: 'ERR_CONDITION_SYNTAX' }));
  });

  test('that is long, or compiles to many steps, is refused', () => {
    for (const source of ['a'.repeat(513), '(a{30}){30}']) {
      expect(() => pattern(source)).toThrow(PolicyError);
      expect(() => pattern(source)).toThrow(expect.objectContaining({ code: 'ERR_CONDITION_COST' }));
    }
  });

  test('is matched against so much text and no more', () => {
    expect(pattern('a').test('a'.repeat(1024))).toBe(true);
    expect(() => pattern('a').test('a'.repeat(1025))).toThrow('at most 1024 characters');
  });

  test('tells what it costs', () => {
    const meter = { spent: 0 };
    const counted = new Pattern('^[ab]+$', meter);
    counted.test('abab');
    expect(meter.spent).toBe(counted.cost(4));
    expect(counted.cost(8)).toBe(2 * counted.cost(4));
  });

  /** Of the last twenty characters it has to know which were an a: two to the twentieth states, if they are asked for. */
  test('does not remember all that it has been made to think of', () => {
    const growing = pattern('(a|b)*a(a|b){20}c');
    let seed = 1;
    const random = () => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % 2 === 0 ? 'a' : 'b';
    };
    let most = 0;
    for (let round = 0; round < 20; round++) {
      growing.test(`${Array.from({ length: 900 }, random).join('')}c`);
      most = Math.max(most, growing.states);
    }
    expect(most).toBeLessThanOrEqual(256);
    expect(growing.test(`a${'b'.repeat(20)}c`)).toBe(true);
  });
});
