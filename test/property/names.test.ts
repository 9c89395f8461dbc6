// Texts that identify: PEM and SPIFFE IDs have one spelling.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CryptoError } from '../../src/crypto/errors.ts';
import { fromPem, toPem } from '../../src/crypto/pem.ts';
import { parseSpiffeId } from '../../src/crypto/spiffe-id.ts';
import { fuzzRuns } from '../support/fuzz.ts';
import { mutatedText } from './support/mutations.ts';

describe('PEM', () => {
  const blocks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 3 });
  const written = blocks.map((list) => list.map((block) => toPem('X', block)).join(''));
  const pieces = [
    '-----BEGIN X-----',
    '-----END X-----',
    '-----BEGIN Y-----',
    'AAAA',
    'AA==',
    '\n',
    '-----',
    '\r',
    ' ',
  ];
  const lines = fc
    .array(fc.oneof(fc.constantFrom(...pieces), fc.string()), { maxLength: 12 })
    .map((list) => list.join('\n'));

  test('is read as it was written, with text around it', () => {
    fc.assert(
      fc.property(blocks, fc.constantFrom('\n', '\r\n'), (list, newline) => {
        const text = list.map((block) => `# a comment\n${toPem('X', block)}`).join('');
        const expected = list.map((block) => Buffer.from(block));
        expect(fromPem(text.replaceAll('\n', newline), 'X')).toEqual(expected);
      }),
      { numRuns: fuzzRuns(200) },
    );
  });

  test('is read in one way or refused: what is read comes from the text, and no block is overlooked', () => {
    fc.assert(
      fc.property(fc.oneof(lines, mutatedText(written, pieces)), (text) => {
        try {
          const read = fromPem(text, 'X');
          const begins = text.split('\n').filter((line) => /^-----BEGIN X-----\s*$/.test(line));
          expect(read).toHaveLength(begins.length);
          const base64 = text.replaceAll(/\s/g, '');
          for (const block of read) expect(base64).toContain(block.toString('base64'));
          for (const block of read) expect(block.length).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toBeInstanceOf(CryptoError);
        }
      }),
      { numRuns: fuzzRuns(500) },
    );
  });
});

describe('SPIFFE IDs', () => {
  const pieces = [
    'spiffe://',
    'a',
    'B',
    '/',
    '.',
    '..',
    '-',
    '_',
    '%2f',
    ':',
    '@',
    '?',
    '#',
    '\\',
    ' ',
    '\n',
    '\0',
    'é',
  ];
  const valid = fc
    .tuple(
      fc.stringMatching(/^[a-z0-9._-]{1,20}$/),
      fc.array(fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,10}$/), { maxLength: 4 }),
    )
    .map(([trustDomain, segments]) => ['spiffe:/', trustDomain, ...segments].join('/'));
  const anyText = fc.oneof(
    fc
      .tuple(
        fc.constantFrom('', 'spiffe://', 'spiffe://a/'),
        fc.array(fc.constantFrom(...pieces), { maxLength: 8 }),
      )
      .map(([begin, list]) => begin + list.join('')),
    mutatedText(valid, pieces),
    fc.string({ unit: 'binary' }),
  );

  test('are taken apart and not changed', () => {
    fc.assert(
      fc.property(valid, (uri) => {
        const id = parseSpiffeId(uri);
        expect(`spiffe://${id.trustDomain}${id.path}`).toBe(uri);
        expect(id.uri).toBe(uri);
      }),
      { numRuns: fuzzRuns(200) },
    );
  });

  test('have one spelling: a URI parser agrees on whatever is accepted', () => {
    fc.assert(
      fc.property(anyText, (uri) => {
        try {
          const id = parseSpiffeId(uri);
          expect(id.trustDomain).toBe(id.trustDomain.toLowerCase());
          const url = new URL(uri);
          const expected = ['spiffe:', id.trustDomain, id.path, uri];
          expect([url.protocol, url.host, url.pathname, url.href]).toEqual(expected);
        } catch (error) {
          expect(error).toBeInstanceOf(CryptoError);
        }
      }),
      { numRuns: fuzzRuns(1_000) },
    );
  });
});
