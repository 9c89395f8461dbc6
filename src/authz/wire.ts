// The protobuf wire format (protobuf.dev/programming-guides/encoding), walked in place: nothing is decoded or copied but
// what the caller asks for. Stricter than the format where leniency would let two readers see different messages: groups
// (wire types 3 and 4), lengths that reach out of the message they are in, and field number 0 are refused.

import { AuthzError } from './errors.ts';

const wireType = { varint: 0, fixed64: 1, lengthDelimited: 2, fixed32: 5 } as const;

const maxVarintBytes = 10;
/** A tag is a 32-bit number, in at most five bytes; the last holds four bits. */
const lastOfFive = 0x0f;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** One field after another of a message that is part of a larger buffer. */
export class WireReader {
  /** Of the field that `next` found. */
  field = 0;
  /** Its content, when it is length-delimited. */
  start = 0;
  end = 0;
  readonly #bytes: Buffer;
  #at: number;
  readonly #limit: number;
  #delimited = false;

  /** Reads the bytes from `start` up to, not including, `limit`. */
  constructor(bytes: Buffer, start: number, limit: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#limit = limit;
  }

  /** Moves to the next field, past what the one before holds; false at the end. @throws AuthzError ERR_AUTHZ_MALFORMED */
  next(): boolean {
    if (this.#at >= this.#limit) return false;
    const tag = this.#uint32();
    this.field = tag >>> 3;
    if (this.field === 0) throw malformed('a field has the number 0');
    this.#delimited = false;
    switch (tag & 7) {
      case wireType.lengthDelimited:
        this.#delimited = true;
        this.end = this.#uint32();
        this.start = this.#at;
        this.end += this.start;
        this.#at = this.end;
        break;
      case wireType.varint:
        this.#skipVarint();
        break;
      case wireType.fixed64:
        this.#at += 8;
        break;
      case wireType.fixed32:
        this.#at += 4;
        break;
      default:
        throw malformed('a field has a wire type that proto3 does not have');
    }
    if (this.#at > this.#limit) throw malformed('a field reaches out of its message');
    return true;
  }

  /** The message that the present field is. @throws AuthzError where it is none */
  message(): WireReader {
    this.demandDelimited();
    return new WireReader(this.#bytes, this.start, this.end);
  }

  /** The text that the present field is. @throws AuthzError where it is none, or no UTF-8 */
  text(maxBytes: number): string {
    this.demandDelimited();
    if (this.end - this.start > maxBytes) {
      throw new AuthzError('ERR_AUTHZ_TOO_LARGE', `field ${this.field} has more than ${maxBytes} bytes`);
    }
    return textOf(this.#bytes, this.start, this.end);
  }

  /** @throws AuthzError unless the present field is length-delimited */
  demandDelimited(): void {
    if (!this.#delimited) throw malformed(`field ${this.field} has another wire type`);
  }

  #uint32(): number {
    const bytes = this.#bytes;
    const first = bytes[this.#at] ?? 0;
    if (first < 0x80 && this.#at < this.#limit) {
      this.#at += 1;
      return first;
    }
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.#at >= this.#limit) throw malformed('the message ends in a number');
      const byte = bytes[this.#at++] ?? 0;
      if (shift === 28 && byte > lastOfFive) break;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw malformed('a tag or length of more than 32 bits');
  }

  #skipVarint(): void {
    const limit = Math.min(this.#limit, this.#at + maxVarintBytes);
    while (this.#at < limit) {
      if ((this.#bytes[this.#at++] ?? 0) < 0x80) return;
    }
    throw malformed('an endless number');
  }
}

/** @throws AuthzError ERR_AUTHZ_MALFORMED for what is no UTF-8 */
export function textOf(bytes: Buffer, start: number, end: number): string {
  for (let at = start; at < end; at++) {
    if ((bytes[at] ?? 0) > 0x7f) return decode(bytes.subarray(start, end));
  }
  return bytes.toString('latin1', start, end);
}

function decode(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    throw new AuthzError('ERR_AUTHZ_MALFORMED', 'text that is not UTF-8', { cause: error });
  }
}

function malformed(message: string): AuthzError {
  return new AuthzError('ERR_AUTHZ_MALFORMED', message);
}
