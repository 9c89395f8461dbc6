// A strict DER reader. A signature covers bytes, so bytes that could be read in two ways, or written in two ways, are
// refused rather than repaired. Elements are slices of the input: nothing is ever decoded and encoded again.

import { CryptoError } from '../errors.ts';
import { decodeOid } from './oid.ts';
import { tag } from './tags.ts';

/** One element. Both slices share the input's memory. */
export interface DerElement {
  readonly tag: number;
  /** Identifier, length and contents. */
  readonly raw: Buffer;
  readonly content: Buffer;
}

/** Walks over elements that follow each other. Every method throws CryptoError ERR_DER. */
export class DerReader {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get atEnd(): boolean {
    return this.#offset === this.#bytes.length;
  }

  /** The next element, which must have this identifier. */
  next(identifier: number, what: string): DerElement {
    const element = this.nextOfAny(what);
    if (element.tag !== identifier) {
      throw derError(
        `${what}: expected tag 0x${identifier.toString(16)}, found 0x${element.tag.toString(16)}`,
      );
    }
    return element;
  }

  /** The next element if it has this identifier. */
  optional(identifier: number, what: string): DerElement | undefined {
    return this.#bytes[this.#offset] === identifier ? this.next(identifier, what) : undefined;
  }

  nextOfAny(what: string): DerElement {
    const start = this.#offset;
    const identifier = this.#octet(what);
    if ((identifier & 0x1f) === 0x1f) throw derError(`${what}: a tag of more than one octet`);
    const length = this.#length(what);
    const contentStart = this.#offset;
    if (length > this.#bytes.length - contentStart) throw derError(`${what}: longer than what holds it`);
    this.#offset = contentStart + length;
    return {
      tag: identifier,
      raw: this.#bytes.subarray(start, this.#offset),
      content: this.#bytes.subarray(contentStart, this.#offset),
    };
  }

  /** Everything must have been read. */
  end(what: string): void {
    if (!this.atEnd) throw derError(`${what}: unexpected bytes at its end`);
  }

  #octet(what: string): number {
    const octet = this.#bytes[this.#offset];
    if (octet === undefined) throw derError(`${what}: cut off`);
    this.#offset++;
    return octet;
  }

  /** Definite form, fewest octets (X.690 §10.1). */
  #length(what: string): number {
    const first = this.#octet(what);
    if (first < 0x80) return first;
    const count = first & 0x7f;
    // Four octets and more describe what no limit of ours admits; zero is the indefinite form.
    if (count === 0 || count > 3) throw derError(`${what}: indefinite or oversized length`);
    let length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + this.#octet(what);
    if (length < 0x80 || length < 256 ** (count - 1))
      throw derError(`${what}: length not in its shortest form`);
    return length;
  }
}

/** The one element that the bytes consist of. */
export function readOnly(bytes: Uint8Array, identifier: number, what: string): DerElement {
  const reader = new DerReader(bytes);
  const element = reader.next(identifier, what);
  reader.end(what);
  return element;
}

/** A reader over the elements inside a constructed one. */
export function inside(element: DerElement): DerReader {
  return new DerReader(element.content);
}

export function readOid(element: DerElement): string {
  return decodeOid(element.content);
}

/** DER knows one octet for TRUE and one for FALSE (X.690 §11.1). */
export function readBoolean(element: DerElement): boolean {
  const [octet] = element.content;
  if (element.content.length !== 1 || (octet !== 0x00 && octet !== 0xff))
    throw derError('boolean that is not DER');
  return octet === 0xff;
}

/** The two's-complement contents of an INTEGER, checked to be minimal (X.690 §8.3.2). */
export function readInteger(element: DerElement, what: string): Buffer {
  const [first, second] = element.content;
  if (first === undefined) throw derError(`${what}: empty integer`);
  const sign = second === undefined ? undefined : second >= 0x80;
  if ((first === 0x00 && sign === false) || (first === 0xff && sign === true))
    throw derError(`${what}: padded integer`);
  return element.content;
}

/** A non-negative INTEGER of at most three octets. */
export function readSmallInteger(element: DerElement, what: string): number {
  const content = readInteger(element, what);
  if (content.length > 3 || (content[0] ?? 0) >= 0x80) throw derError(`${what}: out of range`);
  return content.readUIntBE(0, content.length);
}

/** A BIT STRING of whole octets: keys and signatures. */
export function readBitString(element: DerElement, what: string): Buffer {
  if (element.content[0] !== 0) throw derError(`${what}: a bit string that is not whole octets`);
  return element.content.subarray(1);
}

/** The numbers of the bits set in a named bit list; the encoding must be the minimal one (X.690 §11.2). */
export function readNamedBits(element: DerElement, what: string): number[] {
  const [unused, ...octets] = element.content;
  const last = octets.at(-1);
  if (unused === undefined || last === undefined || unused > 7)
    throw derError(`${what}: empty or malformed bit list`);
  const lowestUsed = 1 << unused;
  if ((last & (lowestUsed - 1)) !== 0 || (last & lowestUsed) === 0)
    throw derError(`${what}: bit list not in its shortest form`);
  const bits: number[] = [];
  for (const [index, octet] of octets.entries()) {
    for (let bit = 0; bit < 8; bit++) if ((octet & (0x80 >> bit)) !== 0) bits.push(index * 8 + bit);
  }
  return bits;
}

const timeDigits = /^\d+Z$/;

/** UTCTime or GeneralizedTime in the one form RFC 5280 §4.1.2.5 allows: whole seconds, Z, UTCTime through 2049. */
export function readTime(element: DerElement, what: string): Date {
  const text = element.content.toString('latin1');
  const isUtcTime = element.tag === tag.utcTime;
  if (!isUtcTime && element.tag !== tag.generalizedTime) throw derError(`${what}: not a time`);
  if (!timeDigits.test(text) || text.length !== (isUtcTime ? 13 : 15))
    throw derError(`${what}: a time in a form RFC 5280 forbids`);
  const century = Number(text.slice(0, 2)) < 50 ? '20' : '19';
  const digits = isUtcTime ? century + text : text;
  const iso = digits.replace(/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6.000Z');
  const date = new Date(iso);
  // Date accepts 24:00 and refuses other overflows; only a real time prints back as it was written.
  if (Number.isNaN(date.getTime()) || date.toISOString() !== iso) throw derError(`${what}: no such time`);
  if (!isUtcTime && date.getUTCFullYear() < 2050)
    throw derError(`${what}: a year before 2050 must be UTCTime`);
  return date;
}

export function derError(message: string): CryptoError {
  return new CryptoError('ERR_DER', message);
}
