// The headers of a check, in the two forms in which Envoy sends them: a map, in which repeated headers are already merged,
// or every occurrence by itself, which is what our filters ask for.

import { AuthzError } from './errors.ts';
import type { HeaderNames } from './header-names.ts';
import { textOf, type WireReader } from './wire.ts';

/** Envoy takes a hundred. */
const maxHeaders = 1024;

const headersInMap = 1;
const headerField = { key: 1, value: 2, rawValue: 3 } as const;
const entryField = { key: 1, value: 2 } as const;

/** Values of the wanted headers. */
export class RequestHeaders {
  /** The places of names beside which there is one that differs in `_` and `-` alone. */
  readonly twins = new Set<number>();
  readonly #bytes: Buffer;
  readonly #wanted: HeaderNames;
  /** Of `map<string, string> headers`, in which a name has one value: the last. */
  readonly #entries: (string | undefined)[] = [];
  /** Of the raw header map, in which it has all of them. */
  readonly #raw: (string[] | undefined)[] = [];
  #count = 0;

  constructor(bytes: Buffer, wanted: HeaderNames) {
    this.#bytes = bytes;
    this.#wanted = wanted;
  }

  /** By the places of their names. */
  values(): readonly (readonly string[] | undefined)[] {
    for (const [index, entry] of this.#entries.entries()) {
      if (entry !== undefined) this.#raw[index] = [entry, ...(this.#raw[index] ?? [])];
    }
    return this.#raw;
  }

  entry(fields: WireReader): void {
    this.#countOne();
    let keyStart = 0;
    let keyEnd = 0;
    let valueStart = 0;
    let valueEnd = 0;
    while (fields.next()) {
      if (fields.field !== entryField.key && fields.field !== entryField.value) continue;
      fields.demandDelimited();
      if (fields.field === entryField.key) {
        keyStart = fields.start;
        keyEnd = fields.end;
      } else {
        valueStart = fields.start;
        valueEnd = fields.end;
      }
    }
    for (const { index, isTwin } of this.#wanted.find(this.#bytes, keyStart, keyEnd)) {
      if (isTwin) this.twins.add(index);
      else this.#entries[index] = textOf(this.#bytes, valueStart, valueEnd);
    }
  }

  headerMap(fields: WireReader): void {
    while (fields.next()) if (fields.field === headersInMap) this.#rawHeader(fields.message());
  }

  #rawHeader(fields: WireReader): void {
    this.#countOne();
    let keyStart = 0;
    let keyEnd = 0;
    let rawStart = 0;
    let rawEnd = 0;
    let valueStart = 0;
    let valueEnd = 0;
    while (fields.next()) {
      switch (fields.field) {
        case headerField.key:
          fields.demandDelimited();
          keyStart = fields.start;
          keyEnd = fields.end;
          break;
        case headerField.value:
          fields.demandDelimited();
          valueStart = fields.start;
          valueEnd = fields.end;
          break;
        case headerField.rawValue:
          fields.demandDelimited();
          rawStart = fields.start;
          rawEnd = fields.end;
          break;
        default:
      }
    }
    const found = this.#wanted.find(this.#bytes, keyStart, keyEnd);
    if (found.length === 0) return;
    // Either of the two is set, as Envoy is configured. Raw bytes that are no UTF-8 become U+FFFD, which a condition refuses.
    const value =
      rawEnd > rawStart
        ? this.#bytes.toString('utf8', rawStart, rawEnd)
        : textOf(this.#bytes, valueStart, valueEnd);
    for (const { index, isTwin } of found) {
      const values = this.#raw[index];
      if (isTwin) this.twins.add(index);
      else if (values === undefined) this.#raw[index] = [value];
      else values.push(value);
    }
  }

  #countOne(): void {
    this.#count += 1;
    if (this.#count > maxHeaders) {
      throw new AuthzError('ERR_AUTHZ_TOO_LARGE', `more than ${maxHeaders} headers`);
    }
  }
}
