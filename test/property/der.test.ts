// The DER reader: one encoding for every value, no copy of anything, and nothing but CryptoError for the rest.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeOid, encodeOid } from '../../src/crypto/der/oid.ts';
import {
  type DerElement,
  DerReader,
  readBitString,
  readBoolean,
  readInteger,
  readNamedBits,
  readOid,
  readSmallInteger,
  readTime,
} from '../../src/crypto/der/read.ts';
import { tag } from '../../src/crypto/der/tags.ts';
import {
  bitString,
  derTrue,
  namedBits,
  oid,
  smallInteger,
  time,
  tlv,
  unsignedInteger,
} from '../../src/crypto/der/write.ts';
import { CryptoError } from '../../src/crypto/errors.ts';
import { fuzzRuns } from '../support/fuzz.ts';
import { mutatedBytes } from './support/mutations.ts';

const constructedBit = 0x20;

/** A well-formed element of any tag, nested. */
const { element } = fc.letrec<{ element: Uint8Array }>((tie) => ({
  element: fc.oneof(
    { maxDepth: 5 },
    fc
      .tuple(
        fc.nat({ max: 0xff }).filter((octet) => (octet & 0x1f) !== 0x1f && (octet & constructedBit) === 0),
        fc.uint8Array({ maxLength: 300 }),
      )
      .map(([identifier, content]) => tlv(identifier, content)),
    fc
      .tuple(
        fc.constantFrom<number>(tag.sequence, tag.set, 0xa0, 0xa3, 0x7e),
        fc.array(tie('element'), { maxLength: 4 }),
      )
      .map(([identifier, children]) => tlv(identifier, ...children)),
    fc.constantFrom<Uint8Array>(derTrue, oid('2.5.29.74'), smallInteger(300), bitString(Buffer.from('ab'))),
  ),
}));

/** An element whose length is written in any form, and not always true: BER, which DER is to refuse. */
const otherLength = fc
  .tuple(element, fc.nat({ max: 4 }), fc.integer({ min: -1, max: 1 }), fc.boolean())
  .map(([bytes, octets, off, nested]) => {
    const { tag: identifier, content } = new DerReader(bytes).nextOfAny('element');
    const length = Buffer.alloc(octets + 1, 0);
    length[0] = octets === 0 ? 0x80 : 0x80 | octets;
    for (let left = content.length + off, at = octets; at > 0; at--, left >>= 8) length[at] = left & 0xff;
    const written = Buffer.concat([Uint8Array.of(identifier), length, content]);
    return nested ? tlv(tag.sequence, written) : written;
  });

const anyBytes = fc.oneof(fc.uint8Array({ maxLength: 64 }), element, mutatedBytes(element), otherLength);

/** Every element of the input, however deep; the input is refused when one of them is no DER. */
function allElements(bytes: Uint8Array): DerElement[] {
  const reader = new DerReader(bytes);
  const found: DerElement[] = [];
  while (!reader.atEnd) {
    const next = reader.nextOfAny('any');
    found.push(next);
    if ((next.tag & constructedBit) !== 0) found.push(...allElements(next.content));
  }
  return found;
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    expect(error).toBeInstanceOf(CryptoError);
    return undefined;
  }
}

describe('elements', () => {
  test('what is read encodes to the same bytes again', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        for (const { tag: identifier, content, raw } of attempt(() => allElements(bytes)) ?? [])
          expect(tlv(identifier, content)).toEqual(raw);
      }),
      { numRuns: fuzzRuns(1_000) },
    );
  });

  test('what is written is read', () => {
    fc.assert(
      fc.property(element, (bytes) => {
        expect(allElements(bytes)[0]?.raw).toEqual(Buffer.from(bytes));
      }),
      { numRuns: fuzzRuns(300) },
    );
  });

  test('are slices of the input, and no more than it has room for', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const elements = attempt(() => allElements(bytes)) ?? [];
        expect(elements.length).toBeLessThanOrEqual(bytes.length / 2);
        for (const { raw, content } of elements) {
          for (const slice of [raw, content]) {
            expect(slice.buffer).toBe(bytes.buffer);
            expect(slice.byteOffset).toBeGreaterThanOrEqual(bytes.byteOffset);
            expect(slice.byteOffset + slice.length).toBeLessThanOrEqual(bytes.byteOffset + bytes.length);
          }
        }
      }),
      { numRuns: fuzzRuns(300) },
    );
  });
});

describe('values', () => {
  /** A reader and the writer that makes the one encoding of what it read. */
  const codecs: readonly (readonly [number, (element: DerElement) => Buffer])[] = [
    [tag.boolean, (each) => (readBoolean(each) ? derTrue : tlv(tag.boolean, Uint8Array.of(0)))],
    [tag.integer, (each) => signedInteger(readInteger(each, 'x'))],
    [tag.integer, (each) => smallInteger(readSmallInteger(each, 'x'))],
    [tag.oid, (each) => oid(readOid(each))],
    [tag.bitString, (each) => bitString(readBitString(each, 'x'))],
    [tag.bitString, (each) => namedBitsOf(readNamedBits(each, 'x'))],
    [tag.utcTime, (each) => time(readTime(each, 'x'))],
    [tag.generalizedTime, (each) => time(readTime(each, 'x'))],
  ];
  const times: ReadonlySet<number> = new Set([tag.utcTime, tag.generalizedTime]);
  const number = (max: number) => fc.nat({ max }).map((value) => String(value).padStart(2, '0'));
  const calendarTime = fc
    .tuple(
      fc.constantFrom('', '18', '19', '20', '99'),
      number(99),
      number(13),
      number(32),
      number(24),
      number(60),
      number(60),
    )
    .map((parts) => `${parts.join('')}Z`);
  const content = fc.oneof(
    fc.uint8Array({ maxLength: 10 }),
    fc
      .array(fc.constantFrom(0, 0xff, 0x80, 0x7f, 0x81, 1), { maxLength: 4 })
      .map((octets) => Uint8Array.from(octets)),
  );
  const timeContent = fc
    .oneof(calendarTime, calendarTime, fc.stringMatching(/^[0-9]{11,15}Z?$/))
    .map((text) => Buffer.from(text));
  const codecAndContent = fc
    .constantFrom(...codecs)
    .chain((codec) => fc.tuple(fc.constant(codec), times.has(codec[0]) ? timeContent : content));

  test('have one encoding each', () => {
    fc.assert(
      fc.property(codecAndContent, ([[identifier, codec], bytes]) => {
        const written = tlv(identifier, bytes);
        const again = attempt(() => codec(new DerReader(written).nextOfAny('value')));
        if (again !== undefined) expect(again).toEqual(written);
      }),
      { numRuns: fuzzRuns(2_000) },
    );
  });

  /** The shortest two's complement with the same value. */
  function signedInteger(content: Buffer): Buffer {
    const value = BigInt.asIntN(content.length * 8, BigInt(`0x${content.toString('hex')}`));
    let octets = 1;
    while (BigInt.asIntN(octets * 8, value) !== value) octets++;
    const digits = BigInt.asUintN(octets * 8, value).toString(16);
    return tlv(tag.integer, Buffer.from(digits.padStart(octets * 2, '0'), 'hex'));
  }

  /** The writer knows one octet of bits; for more of them, what X.690 §11.2.2 says. */
  function namedBitsOf(bits: readonly number[]): Buffer {
    const highest = Math.max(...bits);
    if (highest < 8) return namedBits(bits);
    const octets = new Uint8Array(Math.floor(highest / 8) + 1);
    for (const bit of bits)
      octets[Math.floor(bit / 8)] = (octets[Math.floor(bit / 8)] ?? 0) | (0x80 >> (bit % 8));
    return tlv(tag.bitString, Uint8Array.of(7 - (highest % 8)), octets);
  }

  test('object identifiers are read back as they were written', () => {
    const arc = fc.bigInt({ min: 0n, max: 2n ** 128n });
    const dotted = fc
      .tuple(
        fc.constantFrom(0n, 1n, 2n),
        fc.bigInt({ min: 0n, max: 39n }),
        arc,
        fc.array(arc, { maxLength: 2 }),
      )
      .map(([top, low, any, rest]) => [top, top === 2n ? any : low, ...rest].join('.'));
    fc.assert(
      fc.property(dotted, (text) => {
        expect(decodeOid(encodeOid(text))).toBe(text);
      }),
      { numRuns: fuzzRuns(200) },
    );
  });

  test('numbers are read back as they were written', () => {
    const read = (bytes: Buffer) => new DerReader(bytes).nextOfAny('integer');
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 23 - 1 }), fc.uint8Array({ maxLength: 30 }), (small, big) => {
        expect(readSmallInteger(read(smallInteger(small)), 'x')).toBe(small);
        const value = readInteger(read(unsignedInteger(big)), 'x');
        expect(BigInt(`0x0${value.toString('hex')}`)).toBe(BigInt(`0x0${Buffer.from(big).toString('hex')}`));
      }),
      { numRuns: fuzzRuns(200) },
    );
  });

  test('every second that can be written is read back', () => {
    const min = new Date('1950-01-01T00:00:00Z');
    const max = new Date('9999-12-31T23:59:59Z');
    fc.assert(
      fc.property(fc.date({ min, max, noInvalidDate: true }), (date) => {
        const read = readTime(new DerReader(time(date)).nextOfAny('time'), 'time');
        expect(read.getTime()).toBe(Math.floor(date.getTime() / 1000) * 1000);
      }),
      { numRuns: fuzzRuns(200) },
    );
  });
});
