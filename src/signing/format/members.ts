// Reading parsed JSON member by member. What a reader does not know may change the meaning of what it does know, so an
// unknown member is refused, not skipped.

import { RegistryError } from '../../registry/errors.ts';
import { isJsonObject, type JsonObject, parseStrictJson } from '../../registry/strict-json.ts';
import { decodeBase64 } from '../base64.ts';
import { SigningError, type SigningErrorCode } from '../errors.ts';

/** Objects and arrays inside each other. The deepest we know, a log entry's checkpoint, is at 6; SBOMs stay under 20. */
const maxJsonDepth = 64;

const maxShownCharacters = 60;

/** Reads the parts of one document; every refusal carries the document's code. */
export class Members {
  readonly #code: SigningErrorCode;
  readonly #document: string;

  /** @param document how messages name it, such as "the bundle" */
  constructor(code: SigningErrorCode, document: string) {
    this.#code = code;
    this.#document = document;
  }

  /**
   * The one JSON value that the bytes hold.
   * @throws SigningError ERR_BUNDLE_TOO_LARGE, ERR_JSON_INVALID
   */
  parse(bytes: Uint8Array, maxBytes: number): unknown {
    try {
      return parseStrictJson(bytes, { maxBytes, maxDepth: maxJsonDepth });
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      const code = error.code === 'ERR_JSON_INVALID' ? 'ERR_JSON_INVALID' : 'ERR_BUNDLE_TOO_LARGE';
      throw new SigningError(code, `${this.#document} is ${error.message}`, error);
    }
  }

  /** An object with all of the `required` members, perhaps some of the `optional` ones, and no other. */
  object(
    value: unknown,
    what: string,
    required: readonly string[],
    optional: readonly string[] = [],
  ): JsonObject {
    const object = this.anyObject(value, what);
    for (const name of required) {
      if (!Object.hasOwn(object, name)) this.refuse(`${what} has no member "${name}"`);
    }
    for (const name of Object.keys(object)) {
      if (!required.includes(name) && !optional.includes(name)) {
        this.refuse(`${what} has the unknown member ${shown(name)}`);
      }
    }
    return object;
  }

  /** An object with any members. */
  anyObject(value: unknown, what: string): JsonObject {
    if (!isJsonObject(value)) this.refuse(`${what} is not an object`);
    return value;
  }

  text(value: unknown, what: string): string {
    if (typeof value !== 'string') this.refuse(`${what} is not a text`);
    return value;
  }

  /** The text itself, where only one is right. */
  exactText(value: unknown, what: string, expected: string): string {
    if (value !== expected) this.refuse(`${what} is ${shown(value)}, not "${expected}"`);
    return expected;
  }

  /** @throws SigningError ERR_BASE64_INVALID too */
  base64(value: unknown, what: string): Buffer {
    return decodeBase64(this.text(value, what), what);
  }

  array(value: unknown, what: string, maxLength: number): readonly unknown[] {
    if (!Array.isArray(value)) this.refuse(`${what} is not an array`);
    if (value.length > maxLength) this.refuse(`${what} has ${value.length} entries, more than ${maxLength}`);
    return value;
  }

  refuse(reason: string): never {
    throw new SigningError(this.#code, `${this.#document} is refused: ${reason}`);
  }
}

/** A piece of a foreign document in a message: short, in one line, and without what a terminal would act on. */
export function shown(value: unknown): string {
  const piece = typeof value === 'string' ? value.slice(0, maxShownCharacters) : value;
  const text = (JSON.stringify(piece) ?? 'missing').slice(0, maxShownCharacters + 2);
  return text.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
