// JSON of which every parser thinks the same. What one reader judges and another one runs must not differ: so no member
// twice (RFC 8259 §4 leaves it to the parser which one counts), no text that is not UTF-8, no half of a surrogate pair
// (RFC 8259 §8.2), and bounds on size and depth.

import { RegistryError } from './errors.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

export interface JsonLimits {
  readonly maxBytes: number;
  /** Objects and arrays inside each other; `{}` has depth 1. */
  readonly maxDepth: number;
}

// A byte-order mark stays in the text, where JSON.parse refuses it.
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
  const text = decode(bytes);
  const value = parse(text);
  checkMembers(text, limits.maxDepth);
  return value;
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

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    // The parser's own message quotes the document, which may be anything.
    throw new RegistryError('ERR_JSON_INVALID', 'not a JSON document', { cause });
  }
}

// Linear only on a text that JSON.parse has accepted: there every string ends.
const lexemes = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:]/g;

/** Of a text that JSON.parse has accepted: there a string before a colon is the name of a member. */
function checkMembers(text: string, maxDepth: number): void {
  /** The names seen in each object that is open; arrays have none. */
  const open: (Set<string> | undefined)[] = [];
  let string = '';
  for (const [lexeme] of text.matchAll(lexemes)) {
    if (lexeme === '{' || lexeme === '[') {
      open.push(undefined);
      if (open.length > maxDepth) refuse(`a JSON document deeper than ${maxDepth}`);
    } else if (lexeme === '}' || lexeme === ']') {
      open.pop();
    } else if (lexeme === ':') {
      const names = open.at(-1) ?? new Set();
      open[open.length - 1] = names;
      checkName(string, names);
    } else {
      // Decoded: "sub" and "\u0073ub" are one name.
      string = lexeme.includes('\\') ? String(JSON.parse(lexeme)) : lexeme.slice(1, -1);
      if (!string.isWellFormed()) refuse('a JSON document with half of a surrogate pair');
    }
  }
}

function checkName(name: string, seen: Set<string>): void {
  if (seen.has(name)) refuse(`a JSON document with the member ${shown(name)} twice`);
  // An own property of that name turns into a prototype when the object is merged into another.
  if (name === '__proto__') refuse('a JSON document with a member __proto__');
  seen.add(name);
}

const maxShownCharacters = 60;

function shown(name: string): string {
  return JSON.stringify(name.slice(0, maxShownCharacters));
}

function refuse(reason: string): never {
  throw new RegistryError('ERR_JSON_INVALID', reason);
}
