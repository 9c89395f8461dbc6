import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { worthOf } from '../../../../src/admission/server/worth.ts';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

const count = 20_000;
function list<T>(item: (index: number) => T): readonly T[] {
  return Array.from({ length: count }, (_, index) => item(index));
}

/** Values that take much more memory than text, and one as API servers send them. */
const shapes: Record<string, () => unknown> = {
  'empty objects': () => list(() => ({})),
  'empty lists': () => list(() => []),
  'lists in lists': () => list((index) => [index]),
  'keys of their own': () => list((index) => ({ [`key-${index}`]: 1 })),
  'indices for keys': () => list((index) => ({ '999': index })),
  'very many fields': () => Object.fromEntries(list((index) => [`key-${index}`, 1] as const)),
  'very many fields of objects': () => Object.fromEntries(list((index) => [`key-${index}`, {}] as const)),
  fractions: () => [{}, ...list((index) => index + 0.5)],
  'short texts': () => list((index) => index.toString(36)),
  'a long text': () => 'x'.repeat(50 * count),
  'a long text beyond Latin': () => `Ω${'x'.repeat(50 * count)}`,
  'environment variables': () => list((index) => ({ name: `VARIABLE_${index}`, value: `of ${index}` })),
};

test.each(Object.entries(shapes))('is not below what V8 takes for %s', (_, shape) => {
  const text = Buffer.from(JSON.stringify(shape()));
  const kept: unknown[] = [];
  collect();
  const { heapUsed } = process.memoryUsage();
  kept.push(JSON.parse(new TextDecoder().decode(text)));
  collect();
  const taken = process.memoryUsage().heapUsed - heapUsed;
  expect(kept).toHaveLength(1);
  // Some of what is measured is the test runner's.
  expect(worthOf(text)).toBeGreaterThan(0.9 * taken - 100_000);
});

test('a text is worth what it is long, and no more', () => {
  expect(worthOf(Buffer.from(`"${'x'.repeat(1_000)}"`))).toBe(1_002);
});
