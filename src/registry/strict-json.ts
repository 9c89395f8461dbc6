// JSON of which every parser thinks the same. What one reader judges and another one runs must not differ: so no member
// twice (RFC 8259 §4 leaves it to the parser which one counts), no text that is not UTF-8, no half of a surrogate pair
// (RFC 8259 §8.2), and bounds on size and depth.
//
// One pass that knows the names of an object while it reads it: looking for them after JSON.parse costs more than parsing.

import { RegistryError } from './errors.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

export interface JsonLimits {
  readonly maxBytes: number;
  /** Objects and arrays inside each other; `{}` has depth 1. */
  readonly maxDepth: number;
}

// A byte-order mark stays in the text, where it is no JSON.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The one value that the bytes hold.
 * @throws RegistryError ERR_JSON_INVALID with the reason; ERR_REGISTRY_TOO_LARGE when there are more bytes than allowed
 */
export function parseStrictJson(bytes: Uint8Array, limits: JsonLimits): unknown {
  if (bytes.byteLength > limits.maxBytes) {
    throw new RegistryError(
      'ERR_REGISTRY_TOO_LARGE',
      `a JSON document of ${bytes.byteLength} bytes, where ${limits.maxBytes} are allowed`,
    );
  }
  return new Reader(decode(bytes), limits.maxDepth).document();
}

/** Whether a parsed JSON value is an object: neither null nor an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new RegistryError('ERR_JSON_INVALID', 'a JSON document that is not UTF-8', { cause });
  }
}

/** Code units of the grammar (RFC 8259 §2). */
const unit = {
  tab: 0x09,
  lineFeed: 0x0a,
  carriageReturn: 0x0d,
  space: 0x20,
  quote: 0x22,
  comma: 0x2c,
  zero: 0x30,
  nine: 0x39,
  colon: 0x3a,
  openBracket: 0x5b,
  backslash: 0x5c,
  closeBracket: 0x5d,
  openBrace: 0x7b,
  closeBrace: 0x7d,
} as const;

/** RFC 8259 §6, and the words of §3. No two begin alike, and none is followed by what could belong to it. */
const scalar = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null/y;

const words: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['true', true],
  ['false', false],
  ['null', null],
]);

class Reader {
  readonly #text: string;
  readonly #maxDepth: number;
  #at = 0;
  #depth = 0;

  constructor(text: string, maxDepth: number) {
    this.#text = text;
    this.#maxDepth = maxDepth;
  }

  document(): unknown {
    const value = this.#value();
    this.#next();
    return this.#at === this.#text.length ? value : malformed();
  }

  /** Skips white space. @returns the code unit behind it; NaN at the end */
  #next(): number {
    for (;;) {
      const next = this.#text.charCodeAt(this.#at);
      if (
        next !== unit.space &&
        next !== unit.lineFeed &&
        next !== unit.carriageReturn &&
        next !== unit.tab
      ) {
        return next;
      }
      this.#at += 1;
    }
  }

  #value(): unknown {
    const next = this.#next();
    if (next === unit.quote) return this.#string();
    if (next !== unit.openBrace && next !== unit.openBracket) return this.#scalar();
    this.#depth += 1;
    if (this.#depth > this.#maxDepth) refuse(`a JSON document deeper than ${this.#maxDepth}`);
    this.#at += 1;
    const value = next === unit.openBrace ? this.#object() : this.#array();
    this.#depth -= 1;
    return value;
  }

  #scalar(): unknown {
    const start = this.#at;
    scalar.lastIndex = start;
    if (!scalar.test(this.#text)) malformed();
    this.#at = scalar.lastIndex;
    const text = this.#text.slice(start, this.#at);
    return words.has(text) ? words.get(text) : Number(text);
  }

  #array(): readonly unknown[] {
    const array: unknown[] = [];
    if (this.#ends(unit.closeBracket)) return array;
    do array.push(this.#value());
    while (this.#goesOn(unit.closeBracket));
    return array;
  }

  #object(): JsonObject {
    const object: Record<string, unknown> = {};
    if (this.#ends(unit.closeBrace)) return object;
    do {
      const name = this.#next() === unit.quote ? this.#string() : malformed();
      if (Object.hasOwn(object, name)) refuse(`a JSON document with the member ${shown(name)} twice`);
      // It would set the prototype here, and turn into one where the object is merged into another.
      if (name === '__proto__') refuse('a JSON document with a member __proto__');
      if (this.#next() !== unit.colon) malformed();
      this.#at += 1;
      const value = this.#value();
      if (isIndex(name)) setIndex(object, name, value);
      else object[name] = value;
    } while (this.#goesOn(unit.closeBrace));
    return object;
  }

  #ends(close: number): boolean {
    if (this.#next() !== close) return false;
    this.#at += 1;
    return true;
  }

  /** Behind a value: whether there is another one. */
  #goesOn(close: number): boolean {
    if (this.#ends(close)) return false;
    if (this.#next() !== unit.comma) malformed();
    this.#at += 1;
    return true;
  }

  #string(): string {
    const text = this.#text;
    const start = this.#at + 1;
    let at = start;
    let isEscaped = false;
    for (let next = text.charCodeAt(at); next !== unit.quote; next = text.charCodeAt(at)) {
      // Control characters are escaped (§7). NaN, behind the end, compares with nothing.
      if (!(next >= unit.space)) malformed();
      if (next === unit.backslash) isEscaped = true;
      at += next === unit.backslash ? 2 : 1;
    }
    this.#at = at + 1;
    const isShort = at - start <= maxSliceChars;
    return isShort && !isEscaped ? text.slice(start, at) : copied(text.slice(start - 1, at + 1));
  }
}

/** What could be the index of an array. */
function isIndex(name: string): boolean {
  const first = name.charCodeAt(0);
  return first >= unit.zero && first <= unit.nine && /^[0-9]{1,10}$/.test(name);
}

/**
 * V8 makes room for all elements below an index: `{"1000":0}` would take 12 KB, a thousand times its text. A property that cannot
 * be written, if only for a moment, makes it keep the elements in a table instead.
 */
function setIndex(object: Record<string, unknown>, name: string, value: unknown): void {
  const property = { value, enumerable: true, configurable: true };
  Object.defineProperty(object, name, { ...property, writable: false });
  Object.defineProperty(object, name, { ...property, writable: true });
}

/** A longer slice of a text keeps all of the text in memory (V8), for as long as somebody keeps the slice. */
const maxSliceChars = 12;

/** What a string with its quotes stands for, in memory of its own. Half of a pair can only be escaped: UTF-8 has none. */
function copied(lexeme: string): string {
  let string: string;
  try {
    string = String(JSON.parse(lexeme));
  } catch {
    return malformed();
  }
  if (!string.isWellFormed()) refuse('a JSON document with half of a surrogate pair');
  return string;
}

const maxShownCharacters = 60;

function shown(name: string): string {
  return JSON.stringify(name.slice(0, maxShownCharacters));
}

/** The document may be anything, and is not quoted. */
function malformed(): never {
  refuse('not a JSON document');
}

function refuse(reason: string): never {
  throw new RegistryError('ERR_JSON_INVALID', reason);
}
