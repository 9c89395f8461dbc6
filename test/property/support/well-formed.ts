// Whether bytes are, all the way down, the protobuf message that a schema describes. The generated decoders are lenient where
// they need not be: they take a field for what the schema says whatever its wire type, and let a field reach out of the
// message it is in. Where they do, there is nothing to agree with.

import type { DescMessage } from '@bufbuild/protobuf';

type Field = DescMessage['fields'][number];

/** Without groups, which proto3 does not have, and with lengths and tags in at most five bytes. */
export function isWellFormed(desc: DescMessage | undefined, bytes: Buffer): boolean {
  const reader = new Reader(bytes);
  while (!reader.atEnd) {
    const tag = reader.varint(5);
    if (tag === undefined || tag >= 2n ** 32n || tag < 8n) return false;
    const wireType = Number(tag & 7n);
    const field = desc?.fields.find(({ number }) => BigInt(number) === tag >> 3n);
    if (field !== undefined && wireType !== expectedWireType(field)) return false;
    const content = reader.content(wireType);
    if (content === undefined) return false;
    if (wireType === 2 && field !== undefined && !isWellFormedField(field, content)) return false;
  }
  return true;
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(maxBytes: number): bigint | undefined {
    let value = 0n;
    for (let count = 0; count < maxBytes && !this.atEnd; count++) {
      const byte = this.#bytes[this.#at++] ?? 0;
      value |= BigInt(byte & 0x7f) << BigInt(7 * count);
      if (byte < 0x80) return value;
    }
    return undefined;
  }

  content(wireType: number): Buffer | undefined {
    switch (wireType) {
      case 0:
        return this.varint(10) === undefined ? undefined : Buffer.alloc(0);
      case 1:
        return this.#take(8);
      case 5:
        return this.#take(4);
      case 2: {
        const length = this.varint(5);
        return length === undefined ? undefined : this.#take(Number(length));
      }
      default:
        return undefined;
    }
  }

  #take(length: number): Buffer | undefined {
    const content = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return content.length === length ? content : undefined;
  }
}

function expectedWireType(field: Field): number {
  if (field.fieldKind === 'scalar') return wireTypeOfScalar(field.scalar);
  if (field.fieldKind === 'enum') return 0;
  if (field.fieldKind === 'list' && field.listKind === 'enum') return field.packed ? 2 : 0;
  if (field.fieldKind === 'list' && field.listKind === 'scalar')
    return field.packed ? 2 : wireTypeOfScalar(field.scalar);
  return 2;
}

/** By number (google.protobuf.FieldDescriptorProto.Type). */
function wireTypeOfScalar(scalar: number): number {
  const types: Readonly<Record<number, readonly number[]>> = { 1: [1, 6, 16], 2: [9, 12], 5: [2, 7, 15] };
  const found = Object.entries(types).find(([, scalars]) => scalars.includes(scalar));
  return Number(found?.[0] ?? 0);
}

function isWellFormedField(field: Field, content: Buffer): boolean {
  if (field.fieldKind === 'message') return isWellFormed(field.message, content);
  if (field.fieldKind === 'list' && field.listKind === 'message') return isWellFormed(field.message, content);
  return field.fieldKind !== 'map' || isWellFormedEntry(field, content);
}

/** Key 1, value 2, both length-delimited in all that is tested here. */
function isWellFormedEntry(field: Extract<Field, { fieldKind: 'map' }>, content: Buffer): boolean {
  const reader = new Reader(content);
  while (!reader.atEnd) {
    const tag = reader.varint(5);
    if (tag !== 0x0an && tag !== 0x12n) return false;
    const part = reader.content(2);
    if (part === undefined) return false;
    if (tag === 0x12n && field.mapKind === 'message' && !isWellFormed(field.message, part)) return false;
  }
  return true;
}
