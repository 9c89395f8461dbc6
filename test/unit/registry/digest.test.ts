import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  algorithmOf,
  DigestCheck,
  digestOf,
  hexOf,
  isDigestOf,
  parseDigest,
} from '../../../src/registry/digest.ts';

const bytes = Buffer.from('content');
const sha256 = `sha256:${createHash('sha256').update(bytes).digest('hex')}` as const;
const sha512 = `sha512:${createHash('sha512').update(bytes).digest('hex')}` as const;

describe('parseDigest', () => {
  test.each([sha256, sha512])('%s', (text) => {
    expect(parseDigest(text)).toBe(text);
    expect(`${algorithmOf(parseDigest(text))}:${hexOf(parseDigest(text))}`).toBe(text);
  });

  test.each([
    ['empty', ''],
    ['no algorithm', sha256.slice(7)],
    ['upper case, which would be a second spelling', sha256.toUpperCase()],
    ['upper-case digits', `sha256:${sha256.slice(7).toUpperCase()}`],
    ['one digit less', sha256.slice(0, -1)],
    ['one digit more', `${sha256}0`],
    ['SHA-512 with the length of SHA-256', `sha512:${sha256.slice(7)}`],
    ['another algorithm', `md5:${'0'.repeat(32)}`],
    ['a line end', `${sha256}\n`],
    ['white space', ` ${sha256}`],
    ['a path', `sha256:${'../'.repeat(21)}a`],
  ])('refuses %s', (_, text) => {
    expect(() => parseDigest(text)).toThrow(expect.objectContaining({ code: 'ERR_DIGEST_INVALID' }));
  });
});

test('digestOf is SHA-256 unless said otherwise', () => {
  expect(digestOf(bytes)).toBe(sha256);
  expect(digestOf(bytes, 'sha512')).toBe(sha512);
});

test.each([sha256, sha512])('isDigestOf checks by the algorithm of %s', (digest) => {
  expect(isDigestOf(digest, bytes)).toBe(true);
  expect(isDigestOf(digest, Buffer.from('Content'))).toBe(false);
});

test.each([sha256, sha512])('content in pieces is checked against %s', (digest) => {
  const good = new DigestCheck(digest);
  for (const byte of bytes) good.update(Uint8Array.of(byte));
  expect(good.matches()).toBe(true);
  const short = new DigestCheck(digest);
  short.update(bytes.subarray(1));
  expect(short.matches()).toBe(false);
});
