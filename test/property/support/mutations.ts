// Near-valid inputs: something valid, changed in a few places. Arbitrary bytes alone hardly get past a parser's first check.

import fc from 'fast-check';

/** A few edits to bytes: bits flipped, pieces cut out, repeated or replaced. */
export function mutatedBytes(valid: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Buffer> {
  const edit = fc.record({
    kind: fc.constantFrom('flip', 'set', 'cut', 'insert', 'repeat', 'length', 'end'),
    // The outermost structure stands at the beginning.
    at: fc.oneof(fc.nat({ max: 8 }), fc.nat()),
    length: fc.oneof(fc.nat({ max: 4 }), fc.nat({ max: 2000 })),
    octets: fc.uint8Array({ minLength: 1, maxLength: 6 }),
  });
  return fc.tuple(valid, fc.array(edit, { minLength: 1, maxLength: 3 })).map(([bytes, edits]) =>
    described(
      edits.reduce((before, each) => applyByteEdit(before, each), Buffer.from(bytes)),
      edits,
    ),
  );
}

/** A failure then shows the change rather than thousands of bytes. */
export function described(bytes: Buffer, how: unknown): Buffer {
  const text = `${bytes.length} bytes: ${fc.stringify(how)}`;
  return Object.defineProperty(bytes, fc.toStringMethod, { value: () => text, enumerable: false });
}

interface ByteEdit {
  readonly kind: 'flip' | 'set' | 'cut' | 'insert' | 'repeat' | 'length' | 'end';
  readonly at: number;
  readonly length: number;
  readonly octets: Uint8Array;
}

function applyByteEdit(bytes: Buffer, { kind, at, length, octets }: ByteEdit): Buffer<ArrayBuffer> {
  const position = bytes.length === 0 ? 0 : at % bytes.length;
  const [first = 0] = octets;
  const head = bytes.subarray(0, position);
  const tail = bytes.subarray(position);
  switch (kind) {
    case 'flip':
      return changed(bytes, position, (octet) => octet ^ (1 << (first % 8)));
    case 'set':
      return changed(bytes, position, () => first);
    case 'length':
      // Off by one: where an encoding says how long something is, this is the change that matters.
      return changed(bytes, position, (octet) => octet + (first % 2 === 0 ? 1 : -1));
    case 'cut':
      return Buffer.concat([head, tail.subarray(length)]);
    case 'insert':
      return Buffer.concat([head, octets, tail]);
    case 'repeat':
      return Buffer.concat([head, tail.subarray(0, length), tail]);
    case 'end':
      return Buffer.from(head);
  }
}

function changed(bytes: Buffer, position: number, change: (octet: number) => number): Buffer<ArrayBuffer> {
  const copy = Buffer.from(bytes);
  if (copy.length > 0) copy[position] = change(copy[position] ?? 0) & 0xff;
  return copy;
}

/** A few edits to a text, with pieces that mean something in its language. */
export function mutatedText(valid: fc.Arbitrary<string>, pieces: readonly string[]): fc.Arbitrary<string> {
  const edit = fc.record({
    kind: fc.constantFrom('cut', 'insert', 'repeat', 'swap lines', 'indent'),
    at: fc.nat(),
    length: fc.oneof(fc.nat({ max: 4 }), fc.nat({ max: 300 })),
    piece: fc.oneof(fc.constantFrom(...pieces), fc.string({ unit: 'binary', maxLength: 4 })),
  });
  return fc
    .tuple(valid, fc.array(edit, { minLength: 1, maxLength: 4 }))
    .map(([text, edits]) => edits.reduce((before, each) => applyTextEdit(before, each), text));
}

interface TextEdit {
  readonly kind: 'cut' | 'insert' | 'repeat' | 'swap lines' | 'indent';
  readonly at: number;
  readonly length: number;
  readonly piece: string;
}

function applyTextEdit(text: string, { kind, at, length, piece }: TextEdit): string {
  const position = text.length === 0 ? 0 : at % text.length;
  const head = text.slice(0, position);
  const tail = text.slice(position);
  switch (kind) {
    case 'cut':
      return head + tail.slice(length);
    case 'insert':
      return head + piece + tail;
    case 'repeat':
      return head + tail.slice(0, length) + tail;
    case 'swap lines':
      return editLines(text, at, (line, next = '') => [next, line]);
    case 'indent':
      return editLines(text, at, (line, next) => [`  ${line}`, ...(next === undefined ? [] : [next])]);
  }
}

function editLines(
  text: string,
  at: number,
  edit: (line: string, next: string | undefined) => readonly string[],
): string {
  const lines = text.split('\n');
  const index = at % lines.length;
  return lines.toSpliced(index, 2, ...edit(lines[index] ?? '', lines[index + 1])).join('\n');
}

/** A few edits to plain data: fields removed, renamed, added, or given another value. */
export function mutatedValue(
  valid: fc.Arbitrary<unknown>,
  names: readonly string[],
  values: readonly unknown[],
): fc.Arbitrary<unknown> {
  const edit = fc.record({
    kind: fc.constantFrom('remove', 'rename', 'replace', 'add', 'repeat'),
    at: fc.nat(),
    name: fc.oneof(fc.constantFrom(...names), fc.string({ maxLength: 5 })),
    value: fc.oneof(
      fc.constantFrom(...values),
      fc.jsonValue({ maxDepth: 2 }),
      fc.string({ minLength: 60, maxLength: 300 }),
    ),
  });
  return fc.tuple(valid, fc.array(edit, { minLength: 1, maxLength: 3 })).map(([value, edits]) => {
    const copy = structuredClone(value);
    for (const each of edits) applyValueEdit(copy, each);
    return copy;
  });
}

interface ValueEdit {
  readonly kind: 'remove' | 'rename' | 'replace' | 'add' | 'repeat';
  readonly at: number;
  readonly name: string;
  readonly value: unknown;
}

function applyValueEdit(root: unknown, { kind, at, name, value }: ValueEdit): void {
  const places = placesIn(root);
  const place = places[at % Math.max(places.length, 1)];
  if (place === undefined) return;
  const { holder, key } = place;
  const fresh = structuredClone(value);
  if (Array.isArray(holder)) {
    const index = Number(key);
    if (kind === 'remove') holder.splice(index, 1);
    else if (kind === 'repeat' || kind === 'add') holder.splice(index, 0, structuredClone(holder[index]));
    else holder[index] = fresh;
    return;
  }
  const record = holder as Record<string, unknown>;
  if (kind === 'remove') delete record[key];
  else if (kind === 'rename') define(record, name, take(record, key));
  else define(record, kind === 'add' ? name : key, fresh);
}

function take(record: Record<string, unknown>, key: string): unknown {
  const value = record[key];
  delete record[key];
  return value;
}

/** As a parser makes it: `__proto__` is a name like any other. */
function define(record: object, name: string, value: unknown): void {
  Object.defineProperty(record, name, { value, writable: true, enumerable: true, configurable: true });
}

interface Place {
  readonly holder: object;
  readonly key: string;
}

function placesIn(value: unknown): Place[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => [{ holder: value, key }, ...placesIn(child)]);
}
