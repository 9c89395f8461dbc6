// JSON as values of CEL.

import { type CelInput, celList, celMap } from '@bufbuild/cel';

export interface JsonLimits {
  /** On all levels together. */
  readonly values: number;
  /** Of nested lists and objects. */
  readonly depth: number;
  /** Of one text, or name of a field. */
  readonly charsOfText: number;
  /** Of all text together, names of fields included. */
  readonly chars: number;
}

/** What there is in a document. */
export interface JsonSize {
  readonly values: number;
  readonly chars: number;
  /** Characters of the longest text, or name of a field. */
  readonly longest: number;
  /** Elements of the longest list, or fields of the largest object. */
  readonly widest: number;
}

export interface ConvertedJson {
  readonly value: CelInput;
  readonly size: JsonSize;
}

/**
 * JSON, value by value. Given the objects as they are, the library would take one with a `$typeName` for a protobuf message
 * and look for a constructor in the others: the document's author is not who decides what its values are.
 * @param number what a number of JSON is
 * @returns the limit that the document is beyond, or the value
 */
export function celJson(
  document: unknown,
  limits: JsonLimits,
  number: (value: number) => CelInput,
): ConvertedJson | keyof JsonLimits {
  const converter = new Converter(limits, number);
  try {
    return { value: converter.convert(document, 1), size: converter.size };
  } catch (error) {
    if (error instanceof TooLarge) return error.limit;
    throw error;
  }
}

class TooLarge extends Error {
  readonly limit: keyof JsonLimits;

  constructor(limit: keyof JsonLimits) {
    super();
    this.limit = limit;
  }
}

class Converter {
  readonly #limits: JsonLimits;
  readonly #number: (value: number) => CelInput;
  #values = 0;
  #chars = 0;
  #longest = 0;
  #widest = 0;

  constructor(limits: JsonLimits, number: (value: number) => CelInput) {
    this.#limits = limits;
    this.#number = number;
  }

  get size(): JsonSize {
    return { values: this.#values, chars: this.#chars, longest: this.#longest, widest: this.#widest };
  }

  convert(value: unknown, depth: number): CelInput {
    this.#values += 1;
    if (this.#values > this.#limits.values) throw new TooLarge('values');
    if (depth > this.#limits.depth) throw new TooLarge('depth');
    if (typeof value === 'string') return this.#counted(value);
    if (typeof value === 'boolean') return value;
    if (typeof value === 'number') return this.#number(value);
    if (Array.isArray(value)) {
      this.#widest = Math.max(this.#widest, value.length);
      return celList(value.map((element) => this.convert(element, depth + 1)));
    }
    if (typeof value !== 'object' || value === null) return null;
    const entries = Object.entries(value);
    this.#widest = Math.max(this.#widest, entries.length);
    return celMap(new Map(entries.map(([key, each]) => [this.#counted(key), this.convert(each, depth + 1)])));
  }

  #counted(text: string): string {
    this.#chars += text.length;
    this.#longest = Math.max(this.#longest, text.length);
    if (text.length > this.#limits.charsOfText) throw new TooLarge('charsOfText');
    if (this.#chars > this.#limits.chars) throw new TooLarge('chars');
    return text;
  }
}
