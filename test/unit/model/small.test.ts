// The small helpers: names, durations, selectors, messages.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseDuration } from '../../../src/model/duration.ts';
import { isDnsLabel, isDnsSubdomain, isUid } from '../../../src/model/names.ts';
import { nearestName } from '../../../src/model/nearest.ts';
import {
  compareProblems,
  firstLine,
  formatPath,
  formatProblem,
  type Problem,
  quote,
} from '../../../src/model/problem.ts';
import { selectorMatches } from '../../../src/model/selector.ts';

describe('parseDuration', () => {
  test.each([
    ['0s', 0],
    ['500ms', 500],
    ['1m30s', 90_000],
    ['2h', 7_200_000],
    ['1h1m1s1ms', 3_661_001],
  ])('%s', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });

  test.each(['', '5', 's', '-1s', '1.5s', '1s ', '1d', '123456s', '1s1s1s1s1s'])('%j is none', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });
});

describe('selectorMatches', () => {
  const labels = { app: 'a', tier: 'x' };
  test.each([
    [undefined, true],
    [{ matchLabels: { app: 'a' } }, true],
    [{ matchLabels: { app: 'a', tier: 'y' } }, false],
    [{ matchExpressions: [{ key: 'app', operator: 'In', values: ['a', 'b'] }] }, true],
    [{ matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['a'] }] }, false],
    [{ matchExpressions: [{ key: 'none', operator: 'NotIn', values: ['a'] }] }, true],
    [{ matchExpressions: [{ key: 'app', operator: 'Exists' }] }, true],
    [{ matchExpressions: [{ key: 'none', operator: 'Exists' }] }, false],
    [{ matchExpressions: [{ key: 'none', operator: 'DoesNotExist' }] }, true],
    [{ matchLabels: { app: 'a' }, matchExpressions: [{ key: 'app', operator: 'DoesNotExist' }] }, false],
    // Inherited properties are no labels.
    [{ matchExpressions: [{ key: 'toString', operator: 'Exists' }] }, false],
  ] as const)('%j: %s', (selector, expected) => {
    expect(selectorMatches(selector, labels)).toBe(expected);
  });
});

describe('names', () => {
  test('labels and subdomains', () => {
    expect(['a', 'a-1', 'a'.repeat(63)].every(isDnsLabel)).toBe(true);
    expect(['', 'A', '-a', 'a-', 'a.b', 'a/b', 'a\n', 'a'.repeat(64)].some(isDnsLabel)).toBe(false);
    expect(['a', 'a.b-c', '1.2'].every(isDnsSubdomain)).toBe(true);
    expect(['', '.', 'a..b', 'a.', '../a', 'a\n', 'a'.repeat(254)].some(isDnsSubdomain)).toBe(false);
    expect(['', 'a/b', 'a b', 'a\n'].some(isUid)).toBe(false);
  });
});

describe('nearestName', () => {
  const known = ['postQuantumEncryption', 'selector', 'to', 'from', 'images'];
  test.each([
    ['postQuantumEncrytion', 'postQuantumEncryption'],
    ['PostQuantumEncryption', 'postQuantumEncryption'],
    ['slector', 'selector'],
    ['esleector', 'selector'],
    ['form', 'from'],
    ['image', 'images'],
    ['tp', undefined],
    ['rateLimit', undefined],
    ['x'.repeat(100_000), undefined],
  ])('%s → %s', (name, expected) => {
    expect(nearestName(name, known)).toBe(expected);
  });
});

describe('messages', () => {
  const problem: Problem = {
    severity: 'error',
    code: 'InvalidField',
    message: 'spec.x: wrong',
    object: { kind: 'Pod', namespace: 'a', name: 'b' },
    origin: { file: 'a.yaml', line: 3, column: 7 },
  };

  test('begin with the place', () => {
    expect(formatProblem(problem)).toBe('a.yaml:3:7: error: Pod a/b: spec.x: wrong');
    expect(formatProblem({ ...problem, object: undefined, origin: undefined })).toBe('error: spec.x: wrong');
  });

  test('paths read like code', () => {
    expect(formatPath(['spec', 'ports', 0, 'name'])).toBe('spec.ports[0].name');
    expect(formatPath(['metadata', 'labels', 'a.b/c'])).toBe('metadata.labels["a.b/c"]');
    expect(formatPath(['a\u001bb'])).toBe('["a\\u001bb"]');
    expect(formatPath(['a'.repeat(100_000)]).length).toBeLessThan(100);
  });

  test('quoted values have no control characters and a bounded length', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 200 }), fc.jsonValue()), (value) => {
        const text = quote(value);
        expect(text.length).toBeLessThanOrEqual(83);
        expect(text).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
      }),
    );
  });

  test('quoted values cannot turn the text of a terminal around', () => {
    // Marks of direction, invisible operators, tags.
    for (const invisible of ['\u061c', '\u2060', '\u2064', '\u00ad', '\u180e', '\ufff9', '\u{e0041}']) {
      expect(quote(`a${invisible}b`)).toMatch(/^"a(?:\\u[0-9a-f]{4})+b"$/);
    }
    expect(quote('a\u202eb\u2066\u009b\u200b\ufeff')).toBe('"a\\u202eb\\u2066\\u009b\\u200b\\ufeff"');
  });

  test('of others are shortened to a line that a terminal can bear', () => {
    expect(firstLine('a\u001bb\nc')).toBe('a\\u001bb');
    expect(firstLine('x'.repeat(100_000)).length).toBeLessThan(250);
  });

  test('are ordered by place', () => {
    const at = (file: string, line: number, column: number): Problem => ({
      ...problem,
      origin: { file, line, column },
    });
    const sorted = [at('a', 1, 1), at('a', 1, 2), at('a', 2, 1), at('b', 1, 1)];
    expect(sorted.toReversed().sort(compareProblems)).toEqual(sorted);
  });
});
