// Protobuf leaves the order of map entries to the encoder, and protobuf-es writes them as they were inserted. The same
// content must give the same bytes, or every version would change with the order in which an API server lists labels.

import { type DescMessage, type MessageShape, toBinary } from '@bufbuild/protobuf';

/** Encodes a message with every map, and every google.protobuf.Struct, sorted by key. Messages inside an Any are bytes already: encode those with this function too. */
export function canonicalBinary<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
): Uint8Array {
  return toBinary(schema, sorted(message) as MessageShape<Desc>);
}

/** The same value when it is in order, else a copy that shares what is. In generated messages, whatever is no message and no list is a map, a Struct or a oneof, whose keys may stand in any order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return sortedList(value);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  return sortedObject(value as Readonly<Record<string, unknown>>);
}

function sortedList(list: readonly unknown[]): readonly unknown[] {
  let copy: unknown[] | undefined;
  list.forEach((item, i) => {
    const clean = sorted(item);
    if (clean === item) return;
    copy ??= [...list];
    copy[i] = clean;
  });
  return copy ?? list;
}

function sortedObject(object: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const keys = Object.keys(object);
  const isMessage = '$typeName' in object;
  const inOrder = isMessage || keys.every((key, i) => i === 0 || (keys[i - 1] ?? '') < key);
  let copy: Record<string, unknown> | undefined = inOrder ? undefined : {};
  for (const key of inOrder ? keys : keys.sort()) {
    const clean = sorted(object[key]);
    if (copy === undefined && clean !== object[key]) copy = { ...object };
    if (copy !== undefined) copy[key] = clean;
  }
  return copy ?? object;
}
