import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
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
  ['\t\r\n [ ]\n', []],
  [
    '[0, -0, 1.5, -2e-3, 1E400, 123456789012345678901]',
    [0, -0, 1.5, -0.002, Infinity, 123456789012345680000],
  ],
  ['[true, false, null]', [true, false, null]],
  ['"a long text without anything strange"', 'a long text without anything strange'],
  ['"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9é\u2028\u007f"', '"\\/\b\f\n\r\té' + 'é\u2028\u007f'],
  ['{"2": 1, "1": 2, "a": 3}', { 1: 2, 2: 1, a: 3 }],
])('%s', (text, value) => {
  expect(parse(text)).toEqual(value);
});

describe('refuses', () => {
  test.each<readonly [string, string]>([
    ['no JSON', 'a'],
    ['nothing', ''],
    ['two documents', '{}{}'],
    ['a byte-order mark', '\ufeff{}'],
    ['a comment', '{/**/}'],
    ...['01', '1.', '.5', '+1', '-', '1e', '0x1', 'NaN', 'Infinity', 'truex', 'True', 'nul'].map(
      (text) => [`the scalar ${text}`, `[${text}]`] as const,
    ),
    ...['[1,]', '[,1]', '[1 2]', '[1', '[', '{"a"}', '{"a":}', '{"a":1,}', '{a:1}', '{1:1}', '{"a" 1}'].map(
      (text) => [`the structure ${text}`, text] as const,
    ),
    ...[
      '{"a":1 "b":1}',
      '{"a":1',
      '{"a":1]',
      '[1}',
      '{,}',
      '}',
      ']',
      ':',
      ',',
      "'a'",
      '\u00a0[]',
      '[\v]',
    ].map((text) => [`the structure ${text}`, text] as const),
    ...['"', '"a', '"\\', '"\\"', '"\\x"', '"\\u12"', '"\\u12g4"', '"\t"', '"\\\n"', '"\u0000"'].map(
      (text) => [`the string ${text}`, text] as const,
    ),
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

test('four levels are allowed, again and again', () => {
  expect(parse('[[[[]]]]')).toEqual([[[[]]]]);
  expect(parse('[[[[],{}],[]],[[[]]],{"a":{"b":{}}}]')).toEqual([[[[], {}], []], [[[]]], { a: { b: {} } }]);
});

test('an object is a plain one', () => {
  expect(Object.getPrototypeOf(parse('{"a": 1}'))).toBe(Object.prototype);
});

/** A verdict that keeps the type of a statement must not keep the statement. */
test('a part that is kept does not keep the document', () => {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  const size = 4_000_000;
  const kept: unknown[] = [];
  collect();
  const { external, heapUsed } = process.memoryUsage();
  for (let count = 0; count < 20; count += 1) {
    const text = `["a part of it that is long enough ${count}", "${'x'.repeat(size)}"]`;
    const [part] = parseStrictJson(Buffer.from(text), { maxBytes: 2 * size, maxDepth: 1 }) as unknown[];
    kept.push(part);
  }
  collect();
  const after = process.memoryUsage();
  expect(kept).toHaveLength(20);
  expect(after.external + after.heapUsed - external - heapUsed).toBeLessThan(10 * size);
});

/** V8 would make room for all elements below an index: a manifest of 4 MB would take 4 GB. */
test('names that look like indices take no more memory than others', () => {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  const count = 5_000;
  const text = JSON.stringify(Array.from({ length: count }, (_, index) => ({ '1000': index, '7': index })));
  collect();
  const { heapUsed } = process.memoryUsage();
  const parsed = parseStrictJson(Buffer.from(text), { maxBytes: text.length, maxDepth: 2 });
  collect();
  expect((process.memoryUsage().heapUsed - heapUsed) / count).toBeLessThan(1_500);
  expect(parsed).toEqual(JSON.parse(text));
  expect(Object.getOwnPropertyDescriptor((parsed as object[])[0], '1000')).toEqual({
    ...{ value: 0, writable: true, enumerable: true, configurable: true },
  });
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
