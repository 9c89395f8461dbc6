// JSON objects of which every parser thinks the same: UTF-8, and no member twice (RFC 7515 §4 and RFC 7519 §4 leave it to
// the parser whether the first or the last one counts).

export type JsonObject = Readonly<Record<string, unknown>>;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Undefined for what is not one JSON object, or one with duplicate members at any depth. */
export function parseJsonObject(bytes: Uint8Array): JsonObject | undefined {
  let text: string;
  let value: unknown;
  try {
    text = utf8.decode(bytes);
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isJsonObject(value) && !hasDuplicateMembers(text) ? value : undefined;
}

/** Whether a parsed JSON value is an object: neither null nor an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const lexemes = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:]/g;

/** Of a text that JSON.parse has accepted: there a string before a colon is the name of a member. */
function hasDuplicateMembers(text: string): boolean {
  /** The names seen in each object that is open; arrays have none. */
  const open: Set<string>[] = [];
  let string = '""';
  for (const [lexeme] of text.matchAll(lexemes)) {
    if (lexeme === '{' || lexeme === '[') {
      open.push(new Set());
    } else if (lexeme === '}' || lexeme === ']') {
      open.pop();
    } else if (lexeme !== ':') {
      string = lexeme;
    } else {
      // Decoded: "sub" and "\u0073ub" are one name.
      const name = String(JSON.parse(string));
      if (open.at(-1)?.has(name) === true) return true;
      open.at(-1)?.add(name);
    }
  }
  return false;
}
