import { expect, test } from 'vitest';
import { boundedSentences, boundedText } from '../../../src/admission/shorten.ts';

test('what fits stays as it is', () => {
  expect(boundedText('äöü', 6)).toBe('äöü');
});

test('what does not fit is cut between characters, counted in bytes', () => {
  expect(boundedText('äöüä', 7)).toBe('äö…');
  expect(boundedText('😀😀😀', 11)).toBe('😀😀…');
});

test('escaping counts: a text of control characters is no longer afterwards than it may be', () => {
  const text = boundedText('\u001b'.repeat(1_000), 100);
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(100);
  expect(text).toMatch(/^(\\u001b)+\\?[u0-9b]*…$/);
});

test('sentences are said whole while there is room, and the rest is counted', () => {
  expect(boundedSentences(['one', 'two', 'three'], 100)).toBe('one; two; three');
  expect(boundedSentences(['one', 'two', 'three'], 22)).toBe('one; two (and 1 more)');
  expect(boundedSentences(['o'.repeat(50), 'two'], 30)).toBe(`${'o'.repeat(14)}… (and 1 more)`);
  expect(boundedSentences(['o'.repeat(30)], 30)).toBe('o'.repeat(30));
});
