// Amounts that are known before there are values: numbers, or sums in which the size of one element of a list stands by name.
//
// That makes bounds of nested loops useful. Of `packages.all(p, p.files.exists(f, …))` nobody knows how many files one
// package has, so a bound made of numbers alone takes the whole document for each; but the packages are different parts of
// the document, so all their files together are no more than there are values in it.

/** A quantity of one element of a list, the same letter in every bound in which it occurs. */
export interface Measure {
  /** What it comes to in all elements together, and therefore at most in one. */
  readonly whole: Amount;
}

/** A number, or a number and multiples of measures. Never negative. */
export type Amount = number | Linear;

interface Linear {
  readonly fixed: number;
  readonly parts: ReadonlyMap<Measure, number>;
}

export function measured(measure: Measure): Amount {
  return { fixed: 0, parts: new Map([[measure, 1]]) };
}

/** The number that it does not exceed, whatever its measures turn out to be. */
export function most(amount: Amount): number {
  if (typeof amount === 'number') return amount;
  let sum = amount.fixed;
  for (const [{ whole }, factor] of amount.parts) sum += factor * most(whole);
  return sum;
}

export function plus(a: Amount, b: Amount): Amount {
  if (typeof a === 'number' && typeof b === 'number') return a + b;
  const [one, other] = [linear(a), linear(b)];
  const parts = new Map(one.parts);
  for (const [measure, factor] of other.parts) parts.set(measure, (parts.get(measure) ?? 0) + factor);
  return { fixed: one.fixed + other.fixed, parts };
}

/** At least the product: of two that have measures, one counts with the most it can be. */
export function times(a: Amount, b: Amount): Amount {
  if (typeof a === 'number') return typeof b === 'number' ? a * b : multiple(b, a);
  if (typeof b === 'number') return multiple(a, b);
  return plus(multiple(b, a.fixed), multiple({ ...a, fixed: 0 }, most(b)));
}

export function dividedBy(amount: Amount, divisor: number): Amount {
  return typeof amount === 'number' ? amount / divisor : multiple(amount, 1 / divisor);
}

/** At least the smaller one. One that has measures is preferred: it adds up to less than a number for each element. */
export function least(a: Amount, b: Amount): Amount {
  if (typeof a === 'number') return typeof b === 'number' ? Math.min(a, b) : b;
  if (typeof b === 'number') return a;
  return most(b) < most(a) ? b : a;
}

/** At least the larger one. */
export function greatest(a: Amount, b: Amount): Amount {
  if (typeof a === 'number' && typeof b === 'number') return Math.max(a, b);
  return a === b ? a : plus(a, b);
}

/** An amount for each of `count` elements, added up; `own` are the measures of an element. */
export function totalOver(count: Amount, amount: Amount, own: readonly Measure[]): Amount {
  const { rest, wholes } = withoutMeasures(amount, own);
  return plus(times(count, rest), wholes);
}

/** The amount of any one element, in words that mean something outside of the list. */
export function anyOf(amount: Amount, own: readonly Measure[]): Amount {
  const { rest, wholes } = withoutMeasures(amount, own);
  return plus(rest, wholes);
}

function withoutMeasures(amount: Amount, own: readonly Measure[]): { rest: Amount; wholes: Amount } {
  if (typeof amount === 'number' || own.length === 0) return { rest: amount, wholes: 0 };
  const parts = new Map(amount.parts);
  let wholes: Amount = 0;
  for (const measure of own) {
    wholes = plus(wholes, times(parts.get(measure) ?? 0, measure.whole));
    parts.delete(measure);
  }
  return { rest: parts.size === 0 ? amount.fixed : { fixed: amount.fixed, parts }, wholes };
}

function multiple({ fixed, parts }: Linear, factor: number): Amount {
  if (factor === 0) return 0;
  return {
    fixed: fixed * factor,
    parts: new Map([...parts].map(([measure, own]) => [measure, own * factor])),
  };
}

function linear(amount: Amount): Linear {
  return typeof amount === 'number' ? { fixed: amount, parts: new Map() } : amount;
}
