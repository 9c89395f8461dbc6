import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { heapBytes } from '../../../../../src/admission/images/remembering/heap-size.ts';
import { parseStrictJson } from '../../../../../src/registry/strict-json.ts';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

/** Predicates that take much more memory than text, and one as build systems write them. */
const shapes: Record<string, (document: number, index: number) => unknown> = {
  'empty objects': () => ({}),
  'empty arrays': () => [],
  'members of their own': (document, index) => ({ [`member-${document}-${index}`]: 1 }),
  indices: (_, index) => ({ '900': index }),
  fractions: (_, index) => index + 0.5,
  'short texts': (_, index) => `s${index % 100}`,
  'texts beyond Latin-1': (document, index) => `Ω ${document} ${index} of some length`,
  packages: (document, index) => ({
    name: `package-${document}-${index}`,
    license: 'MIT',
    checksums: [{ algorithm: 'SHA256', value: `${document}${index}`.padEnd(64, 'a') }],
  }),
};

test.each(Object.entries(shapes))('is not below what V8 takes for %s, nor far above', (_, shape) => {
  const texts = Array.from({ length: 20 }, (_each, document) =>
    Buffer.from(JSON.stringify(Array.from({ length: 2_000 }, (_item, index) => shape(document, index)))),
  );
  const kept: unknown[] = [];
  collect();
  const { heapUsed } = process.memoryUsage();
  for (const text of texts) kept.push(parseStrictJson(text, { maxBytes: text.length, maxDepth: 5 }));
  collect();
  const taken = process.memoryUsage().heapUsed - heapUsed;
  const estimate = heapBytes(kept);
  // Some of what is measured is the test runner's.
  expect(estimate).toBeGreaterThan(0.9 * taken);
  expect(estimate).toBeLessThan(4 * taken);
});

test('what is found twice counts once, and what cannot be looked into for something', () => {
  const twice = { text: 'x'.repeat(1_000) };
  expect(heapBytes([twice, twice]) - heapBytes([twice])).toBeLessThan(100);
  expect(heapBytes(Buffer.alloc(5_000))).toBeGreaterThan(5_000);
  class Opaque {}
  expect(heapBytes(new Opaque())).toBeGreaterThan(1_000);
});

test('depth costs no stack', () => {
  let deep: unknown = 1;
  for (let depth = 0; depth < 100_000; depth += 1) deep = [deep];
  expect(heapBytes(deep)).toBeGreaterThan(100_000);
});

test('counting ends where it is more than was asked for', () => {
  const unread = Object.defineProperty({}, 'a', {
    enumerable: true,
    get: () => {
      throw new Error('it was looked at');
    },
  });
  expect(heapBytes([unread, 'x'.repeat(2_000)], 1_000)).toBeGreaterThan(1_000);
  expect(() => heapBytes([unread, 'x'.repeat(2_000)], 10_000)).toThrow('it was looked at');
});
