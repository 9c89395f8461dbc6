// DER for what Trellis writes itself (X.690). Values come from our own code, so there is nothing to refuse here but
// what DER cannot express.

import { encodeOid } from './oid.ts';
import { contextConstructed, contextPrimitive, tag } from './tags.ts';

/** One tag-length-value with the shortest length form (X.690 §10.1). */
export function tlv(identifier: number, ...contents: readonly Uint8Array[]): Buffer {
  let length = 0;
  for (const part of contents) length += part.length;
  const header = lengthOctets(length);
  header.unshift(identifier);
  return Buffer.concat([Uint8Array.from(header), ...contents], header.length + length);
}

export function sequence(...contents: readonly Uint8Array[]): Buffer {
  return tlv(tag.sequence, ...contents);
}

/** A SET OF with one element, the only kind Trellis writes, so that no sorting (X.690 §11.6) is needed. */
export function setOfOne(content: Uint8Array): Buffer {
  return tlv(tag.set, content);
}

export function oid(dotted: string): Buffer {
  return tlv(tag.oid, encodeOid(dotted));
}

/** A non-negative INTEGER below 2^31. */
export function smallInteger(value: number): Buffer {
  const bytes = [value & 0xff];
  for (let left = value >>> 8; left > 0; left >>>= 8) bytes.unshift(left & 0xff);
  return unsignedInteger(Uint8Array.from(bytes));
}

/** A non-negative INTEGER from big-endian bytes, which may have leading zeros. */
export function unsignedInteger(bigEndian: Uint8Array): Buffer {
  let start = 0;
  while (start < bigEndian.length - 1 && bigEndian[start] === 0) start++;
  const magnitude = bigEndian.subarray(start);
  // A set top bit would make it negative (X.690 §8.3.3).
  const pad = (magnitude[0] ?? 0x80) >= 0x80 ? [0] : [];
  return tlv(tag.integer, Uint8Array.from(pad), magnitude);
}

export const derTrue: Buffer = tlv(tag.boolean, Uint8Array.of(0xff));

export function octetString(bytes: Uint8Array): Buffer {
  return tlv(tag.octetString, bytes);
}

/** A BIT STRING of whole bytes. */
export function bitString(bytes: Uint8Array): Buffer {
  return tlv(tag.bitString, Uint8Array.of(0), bytes);
}

/** A named bit list (X.690 §11.2.2): trailing zero bits are dropped. Bits are numbered as in the ASN.1, below 8. */
export function namedBits(bits: readonly number[]): Buffer {
  const highest = Math.max(...bits);
  let octet = 0;
  for (const bit of bits) octet |= 0x80 >> bit;
  return tlv(tag.bitString, Uint8Array.of(7 - highest, octet));
}

export function utf8String(text: string): Buffer {
  return tlv(tag.utf8String, Buffer.from(text, 'utf8'));
}

export function explicit(n: number, content: Uint8Array): Buffer {
  return tlv(contextConstructed(n), content);
}

export function implicitPrimitive(n: number, content: Uint8Array): Buffer {
  return tlv(contextPrimitive(n), content);
}

/** Time, in whole seconds: UTCTime through 2049, GeneralizedTime from 2050 on (RFC 5280 §4.1.2.5). */
export function time(date: Date): Buffer {
  const digits = date.toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  return date.getUTCFullYear() < 2050
    ? tlv(tag.utcTime, Buffer.from(digits.slice(2), 'latin1'))
    : tlv(tag.generalizedTime, Buffer.from(digits, 'latin1'));
}

function lengthOctets(length: number): number[] {
  if (length < 0x80) return [length];
  const octets: number[] = [];
  for (let left = length; left > 0; left >>>= 8) octets.unshift(left & 0xff);
  octets.unshift(0x80 | octets.length);
  return octets;
}
