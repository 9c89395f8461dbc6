import { describe, expect, test } from 'vitest';
import { isJsonObject, parseStrictJson } from '../../../src/registry/strict-json.ts';

const limits = { maxBytes: 1_000, maxDepth: 4 };
const parse = (text: string | Uint8Array): unknown =>
  parseStrictJson(typeof text === 'string' ? Buffer.from(text) : text, limits);

test.each([
  ['{}', {}],
  ['[1, "a", null, true]', [1, 'a', null, true]],
  [' {"a": {"b": [{}]}} ', { a: { b: [{}] } }],
  ['{"a": "a: \\"b\\": {"}', { a: 'a: "b": {' }],
  // The same name in two objects is no duplicate, and neither is one that is a value.
  ['[{"a": 1}, {"a": 2}]', [{ a: 1 }, { a: 2 }]],
  ['{"a": "a", "b": "a"}', { a: 'a', b: 'a' }],
  ['{"a": {"b": 1}, "b": 2}', { a: { b: 1 }, b: 2 }],
  ['{"\\ud83d\\ude00": 1}', { '😀': 1 }],
  ['{"constructor": 1, "toString": 2}', { constructor: 1, toString: 2 }],
])('%s', (text, value) => {
  expect(parse(text)).toEqual(value);
});

describe('refuses', () => {
  test.each([
    ['no JSON', 'a'],
    ['nothing', ''],
    ['two documents', '{}{}'],
    ['a byte-order mark', '\ufeff{}'],
    ['a comment', '{/**/}'],
    ['a member twice', '{"a": 1, "a": 1}'],
    ['a member twice, deeper', '{"x": [{"a": 1, "b": 2, "a": 3}]}'],
    ['a member twice, after an object', '{"a": {"b": 1}, "a": 2}'],
    ['a member twice, after an array', '{"a": [1, {"c": 1}], "a": 2}'],
    ['a member twice, once escaped', '{"sub": 1, "\\u0073ub": 2}'],
    ['a member twice that is empty', '{"": 1, "": 2}'],
    ['a prototype', '{"__proto__": {"a": 1}}'],
    ['a prototype, escaped', '{"\\u005f_proto__": {"a": 1}}'],
    ['half a surrogate pair', '["\\ud800"]'],
    ['half a surrogate pair in a name', '{"\\udc00": 1}'],
    ['five levels where four are allowed', '[[[[[]]]]]'],
    ['five levels of both kinds', '{"a":[{"b":[{}]}]}'],
  ])('%s', (_, text) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'ERR_JSON_INVALID' }));
  });

  test('what is not UTF-8', () => {
    expect(() => parse(Buffer.from([0x22, 0xff, 0x22]))).toThrow(
      expect.objectContaining({ code: 'ERR_JSON_INVALID', message: expect.stringContaining('UTF-8') }),
    );
  });

  test('more bytes than allowed, without looking at them', () => {
    expect(() => parse(Buffer.alloc(1_001, '['))).toThrow(
      expect.objectContaining({ code: 'ERR_REGISTRY_TOO_LARGE' }),
    );
  });
});

test('four levels are allowed', () => {
  expect(parse('[[[[]]]]')).toEqual([[[[]]]]);
});

test('the message of an error does not hold the document', () => {
  expect(() => parse('{"password": "hunter2"')).toThrow(/^not a JSON document$/);
});

test.each([
  [{}, true],
  [Object.create(null), true],
  [[], false],
  [null, false],
  ['', false],
])('isJsonObject(%j) is %s', (value, expected) => {
  expect(isJsonObject(value)).toBe(expected);
});
