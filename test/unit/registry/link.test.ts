import { expect, test } from 'vitest';
import { nextLink } from '../../../src/registry/link.ts';

test.each([
  ['</v2/a?last=1>; rel="next"', '/v2/a?last=1'],
  ['</v2/a>; rel=next', '/v2/a'],
  ['</v2/a>;REL="NEXT"', '/v2/a'],
  ['<https://r.example/v2/a>; title="x"; rel="prev next"', 'https://r.example/v2/a'],
  ['</first>; rel="first", </next>; rel="next"', '/next'],
  ['</first>; rel="first"', undefined],
  ['</a>; rel="nextish"', undefined],
  ['/v2/a; rel="next"', undefined],
  ['</a', undefined],
  ['', undefined],
  [undefined, undefined],
])('%s leads to %s', (header, target) => {
  expect(nextLink(header)).toBe(target);
});

test('a hostile header is read in linear time', () => {
  expect(nextLink(`${'<'.repeat(100_000)}>; rel="next"`)).toBe('');
});
