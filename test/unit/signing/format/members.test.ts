import { describe, expect, test } from 'vitest';
import { Members, shown } from '../../../../src/signing/format/members.ts';
import { failure } from '../support.ts';

const members = new Members('ERR_SIGSTORE_BUNDLE_INVALID', 'the document');

describe('members', () => {
  test('are those that are required, those that are allowed, and no other', async () => {
    const read = (value: unknown) => members.object(value, 'it', ['a'], ['b']);
    expect(read({ a: 1 })).toEqual({ a: 1 });
    expect(read({ b: 2, a: undefined })).toEqual({ b: 2, a: undefined });
    await failure(
      'ERR_SIGSTORE_BUNDLE_INVALID',
      () => read({ b: 2 }),
      /^the document is refused: it has no member "a"$/,
    );
    await failure(
      'ERR_SIGSTORE_BUNDLE_INVALID',
      () => read({ a: 1, c: 3 }),
      /it has the unknown member "c"$/,
    );
    await failure(
      'ERR_SIGSTORE_BUNDLE_INVALID',
      () => members.object({ a: 1 }, 'it', []),
      /unknown member "a"/,
    );
  });

  test('inherited from Object are none', async () => {
    await failure(
      'ERR_SIGSTORE_BUNDLE_INVALID',
      () => members.object({}, 'it', ['toString']),
      /no member "toString"/,
    );
  });

  test('of an array are as many as allowed', async () => {
    expect(members.array([1, 2], 'it', 2)).toEqual([1, 2]);
    await failure(
      'ERR_SIGSTORE_BUNDLE_INVALID',
      () => members.array([1, 2, 3], 'it', 2),
      /it has 3 entries, more than 2/,
    );
  });
});

describe('a document', () => {
  test('has as many bytes as allowed', async () => {
    expect(members.parse(Buffer.from('{}'), 2)).toEqual({});
    await failure(
      'ERR_BUNDLE_TOO_LARGE',
      () => members.parse(Buffer.from('{} '), 2),
      /^the document is .*3 bytes/,
    );
  });

  test('nests as deep as allowed', async () => {
    const nested = (depth: number) => Buffer.from('['.repeat(depth) + ']'.repeat(depth));
    expect(members.parse(nested(64), 1000)).toBeDefined();
    await failure('ERR_JSON_INVALID', () => members.parse(nested(65), 1000), /deeper than 64/);
  });
});

describe('what is shown of a document', () => {
  test.each([
    ['a text', '"a text"'],
    [1, '1'],
    [null, 'null'],
    [undefined, 'missing'],
    [{ a: [1] }, '{"a":[1]}'],
    ['x'.repeat(60), `"${'x'.repeat(60)}"`],
    ['x'.repeat(61), `"${'x'.repeat(60)}"`],
    [['x'.repeat(100)], `["${'x'.repeat(60)}`],
    ['\u001b[2J', '"\\u001b[2J"'],
    ['\u009b\u202eé', '"\\u009b\\u202e\\u00e9"'],
  ])('%j', (value, text) => {
    expect(shown(value)).toBe(text);
  });
});
