// How the bound on what a condition costs grows with a document.

import { describe, expect, test } from 'vitest';
import { most } from '../../../../src/policy/condition/amount.ts';
import { ConditionEngine, parseCondition } from '../../../../src/policy/condition/engine.ts';
import { AttestationVocabulary } from '../../../../src/policy/images/attestation-vocabulary.ts';

function bound(condition: string, values: number, manyErrors = true): number {
  const size = { values, chars: 10 * values, longest: 20, widest: values };
  const vocabulary = new AttestationVocabulary(size);
  return most(new ConditionEngine({ manyErrors }).analyse(parseCondition(condition), vocabulary).cost.steps);
}

/** By how much more a document ten times as large may cost. */
const growth = (condition: string) => bound(condition, 10_000) / bound(condition, 1_000);

describe('grows with the document', () => {
  test.each([
    "predicate.a.all(x, x.b == 'c')",
    "predicate.a.all(x, x.b in ['c', 'd'] && x.e.startsWith('f') && x.g.contains('h') && size(x.i) > 1)",
    "predicate.a.all(x, x.b + '@' + x.c == 'd@e')",
    'predicate.a.all(x, x.b == predicate.c)',
    // What lies beside each other has nothing in common.
    'predicate.a.all(x, x.b.exists(y, y.c.exists(z, z.d == 1)))',
    'predicate.a.all(x, x.b.exists(y, y.c == x.c) || x.d.exists(y, y.c == x.c))',
    'predicate.a.exists(x, x.b == 1) && predicate.b.exists(x, x.b == 1)',
    '(predicate.a == 1 ? predicate.b : predicate.c).all(x, x.d.all(y, y.e == 1))',
    "predicate.a.all(x, predicate.b['c'] == 1)",
    'predicate.a.all(x, x.b == 1 ? x.c.all(y, y == 1) : x.d == predicate.e)',
    "'a' in predicate.b && predicate.c == predicate.d",
  ])('as it does itself: %s', (condition) => {
    expect(growth(condition)).toBeGreaterThan(8);
    expect(growth(condition)).toBeLessThan(12);
  });

  test.each([
    'predicate.a.all(x, predicate.b.exists(y, x.c == y.c))',
    'predicate.a.all(x, x in predicate.b)',
    'predicate.a.all(x, x.b.all(y, x.c.all(z, y == z)))',
    'predicate.a.all(x, size(predicate) == 1 || predicate.b.exists_one(y, y == 1))',
    // Elements of a list that is made here may all be the same.
    'predicate.a.map(x, predicate.b).all(y, y.all(z, z == 1))',
    'predicate.a.filter(x, x.b == 1).all(y, y.c == 1)',
    'predicate.a.map(x, x.b) == predicate.c',
    // The library goes through one list for each element of the other.
    'predicate.a + predicate.b == predicate.c',
    // A number is looked for among all names of an object.
    'predicate.a.all(x, predicate.b[1] == 1)',
  ])('as its square at least: %s', (condition) => {
    expect(growth(condition)).toBeGreaterThan(80);
  });
});

describe('counts', () => {
  test('every value that is compared, however little text there is', () => {
    expect(bound('predicate.a == predicate.b', 10_000)).toBeGreaterThan(10_000);
    expect(bound('[predicate.a] == [predicate.b]', 10_000)).toBeGreaterThan(10_000);
    expect(bound('predicate.a in [predicate.b]', 10_000)).toBeGreaterThan(10_000);
  });

  test('what is in a list twice, twice', () => {
    const list = (count: number) => `[${Array.from({ length: count }, () => 'predicate.a').join(', ')}]`;
    const condition = (count: number) => `${list(count)}.all(x, x.all(y, y == 1))`;
    const once = bound('predicate.a.all(y, y == 1)', 1_000);
    expect(bound(condition(1), 1_000)).toBeGreaterThan(0.9 * once);
    expect(bound(condition(20), 1_000)).toBeGreaterThan(15 * once);
  });

  test('errors, where there may be many', () => {
    const condition = "predicate.a.all(x, x.b == 1 && int(x.c) == 2 && x.d.matches('e'))";
    const quiet = bound(condition, 1_000, false);
    // A field each, a conversion, a match, and what joins them to each other and to the elements before.
    expect(bound(condition, 1_000)).toBeGreaterThan(quiet + 1_000 * 20 * 6);
    expect(bound("predicateType == 'a'", 1_000)).toBe(bound("predicateType == 'a'", 1_000, false));
  });
});
