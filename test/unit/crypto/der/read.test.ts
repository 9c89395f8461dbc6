import { describe, expect, test } from 'vitest';
import { decodeOid, encodeOid } from '../../../../src/crypto/der/oid.ts';
import {
  DerReader,
  readBitString,
  readBoolean,
  readInteger,
  readNamedBits,
  readOnly,
  readSmallInteger,
  readTime,
} from '../../../../src/crypto/der/read.ts';
import { tag } from '../../../../src/crypto/der/tags.ts';
import {
  namedBits,
  sequence,
  smallInteger,
  time,
  tlv,
  unsignedInteger,
} from '../../../../src/crypto/der/write.ts';
import { expectCode } from '../support/fixtures.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const octets = (text: string) => readOnly(hex(text), tag.octetString, 'test');

describe('elements', () => {
  test('keeps raw bytes and content apart', () => {
    const element = readOnly(hex('04 03 010203'), tag.octetString, 'test');
    expect(element.raw).toEqual(hex('04 03 010203'));
    expect(element.content).toEqual(hex('010203'));
  });

  test.each([
    ['an indefinite length', '04 80 0000', 'indefinite'],
    ['a length in long form that fits the short one', '04 8103 010203', 'shortest'],
    ['a length with a leading zero', `04 820080 ${'00'.repeat(128)}`, 'shortest'],
    ['a length of four octets', '04 8400000003 010203', 'oversized'],
    ['a length beyond the input', '04 04 010203', 'longer than what holds it'],
    ['a cut length', '04 82 01', 'cut off'],
    ['no length', '04', 'cut off'],
    ['nothing', '', 'cut off'],
    ['bytes after the element', '04 01 00 00', 'unexpected bytes'],
    ['a high tag number', '1f 81 00', 'more than one octet'],
    ['another tag', '05 00', 'expected tag'],
  ])('refuses %s', (_what, bytes, reason) => {
    expectCode('ERR_DER', () => octets(bytes), reason);
  });

  test.each([0, 1, 127, 128, 255, 256, 65_535, 65_536])('reads back a content of %d bytes', (length) => {
    const content = Buffer.alloc(length, 1);
    expect(readOnly(tlv(tag.octetString, content), tag.octetString, 'test').content).toEqual(content);
  });
});

describe('object identifiers', () => {
  test.each([
    ['2.5.29.74', '551d4a'],
    ['2.16.840.1.101.3.4.3.18', '608648016503040312'],
    ['0.9.2342', '099226'],
    ['2.999.3', '883703'],
    ['2.25.329800735698586629295641978511506172918', '6983f09da7ebcfdee0c7a1a7b2c0948cc8f9d776'],
  ])('%s', (dotted, encoded) => {
    expect(encodeOid(dotted).toString('hex')).toBe(encoded);
    expect(decodeOid(hex(encoded))).toBe(dotted);
  });

  test.each(['', '80', '558001', '5581', '2a'.repeat(65)])('refuses %s', (encoded) => {
    expectCode('ERR_DER', () => decodeOid(hex(encoded)));
  });
});

describe('integers', () => {
  const integer = (text: string): Buffer => readInteger(readOnly(hex(text), tag.integer, 'test'), 'test');

  test.each(['0200', '02020001', '0202ff80', '0203ffffff'])('refuses %s: empty or padded', (bytes) => {
    expectCode('ERR_DER', () => integer(bytes));
  });

  test('accepts the padding that keeps a number positive', () => {
    expect(integer('02020080')).toEqual(hex('0080'));
  });

  test('small numbers', () => {
    const small = (bytes: Buffer): number => readSmallInteger(readOnly(bytes, tag.integer, 'test'), 'test');
    for (const value of [0, 1, 127, 128, 255, 256, 65_535]) expect(small(smallInteger(value))).toBe(value);
    expectCode('ERR_DER', () => small(hex('0201ff')));
    expectCode('ERR_DER', () => small(hex('020401000000')));
  });

  test('the writer drops leading zeros and keeps the sign', () => {
    expect(unsignedInteger(hex('000001'))).toEqual(hex('020101'));
    expect(unsignedInteger(hex('0080'))).toEqual(hex('02020080'));
    expect(unsignedInteger(hex('0000'))).toEqual(hex('020100'));
  });
});

test('booleans have one encoding each', () => {
  const boolean = (text: string): boolean => readBoolean(readOnly(hex(text), tag.boolean, 'test'));
  expect(boolean('0101ff')).toBe(true);
  expect(boolean('010100')).toBe(false);
  for (const bad of ['010101', '0100', '0102ffff']) expectCode('ERR_DER', () => boolean(bad));
});

describe('bit strings', () => {
  const bits = (text: string) => readOnly(hex(text), tag.bitString, 'test');

  test('keys and signatures are whole octets', () => {
    expect(readBitString(bits('03020041'), 'test')).toEqual(hex('41'));
    for (const bad of ['0300', '03020140']) expectCode('ERR_DER', () => readBitString(bits(bad), 'test'));
  });

  test('named bits', () => {
    expect(readNamedBits(bits('03020106'), 'test')).toEqual([5, 6]);
    expect(readNamedBits(bits('03020780'), 'test')).toEqual([0]);
    expect(readNamedBits(readOnly(namedBits([5, 6]), tag.bitString, 'test'), 'test')).toEqual([5, 6]);
  });

  test.each<[string, string, string?]>([
    ['trailing zero bits', '03020006'],
    ['a trailing zero octet', '0303000600'],
    ['unused bits that are set', '03020187'],
    ['more than seven unused bits', '03020880', 'malformed'],
    ['no bits', '030100', 'malformed'],
    ['nothing', '0300', 'malformed'],
  ])('refuses %s', (_what, bytes, reason = '') => {
    expectCode('ERR_DER', () => readNamedBits(bits(bytes), 'test'), reason);
  });
});

describe('times', () => {
  const read = (bytes: Uint8Array): Date => readTime(new DerReader(bytes).nextOfAny('time'), 'time');
  const utc = (text: string): Buffer => tlv(tag.utcTime, Buffer.from(text));
  const generalized = (text: string): Buffer => tlv(tag.generalizedTime, Buffer.from(text));

  test('UTCTime through 2049, GeneralizedTime from 2050', () => {
    expect(time(new Date('2049-12-31T23:59:59Z'))).toEqual(utc('491231235959Z'));
    expect(time(new Date('2050-01-01T00:00:00Z'))).toEqual(generalized('20500101000000Z'));
    expect(read(utc('491231235959Z')).toISOString()).toBe('2049-12-31T23:59:59.000Z');
    expect(read(utc('500101000000Z')).toISOString()).toBe('1950-01-01T00:00:00.000Z');
    expect(read(generalized('20500101000000Z')).toISOString()).toBe('2050-01-01T00:00:00.000Z');
  });

  test('milliseconds are cut off', () => {
    expect(time(new Date('2026-03-01T12:00:00.999Z'))).toEqual(utc('260301120000Z'));
  });

  test.each<[string, Buffer, string?]>([
    ['no seconds', utc('2603011200Z'), 'RFC 5280 forbids'],
    ['an offset', utc('260301120000+0100'), 'RFC 5280 forbids'],
    ['a fraction', generalized('20500301120000.5Z'), 'RFC 5280 forbids'],
    ['an hour of 24', utc('260301240000Z')],
    ['a 30th of February', utc('260230120000Z')],
    ['a month 13', utc('261301120000Z')],
    ['a leap second', utc('261231235960Z')],
    ['letters', utc('26030112000xZ'), 'RFC 5280 forbids'],
    ['GeneralizedTime before 2050', generalized('20260301120000Z')],
    ['another type', sequence(), 'not a time'],
  ])('refuses %s', (_what, bytes, reason = '') => {
    expectCode('ERR_DER', () => read(bytes), reason);
  });
});
