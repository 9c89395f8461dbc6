// Keeps secrets out of logs. Two nets, because either alone has holes: values are dropped by the name they are logged
// under, and finished lines are searched for what looks like a secret wherever it hides (a message, a stack).

import { KeyObject } from 'node:crypto';

const censored = '[redacted]';

/** Deeper and wider than any log record of ours; also what ends a cycle, and a socket logged by accident. */
const maxDepth = 5;
const maxEntries = 64;

/** A name made of words like these holds a secret … */
const sensitiveWords = new Set([
  ...['key', 'keys', 'token', 'tokens', 'secret', 'secrets', 'seed', 'pkcs8', 'pem', 'jwt', 'jwk'],
  ...['password', 'passphrase', 'passwd', 'authorization', 'cookie', 'credential', 'credentials'],
]);

/** … unless it ends in one of these, and then it is about the secret, not the secret. */
const harmlessEndings = new Set([
  ...[
    'id',
    'ids',
    'name',
    'names',
    'type',
    'algorithm',
    'usage',
    'exchange',
    'kind',
    'count',
    'bytes',
    'size',
  ],
  ...['length', 'path', 'file', 'expiry', 'expires', 'version', 'fingerprint', 'hash'],
]);

/** `clientKeyPem` → client, key, pem; `x-api-key` → x, api, key. */
function words(name: string): string[] {
  return name
    .replaceAll(/([a-z0-9])([A-Z])|([A-Z])(?=[A-Z][a-z])/g, '$1$3 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');
}

function isSensitiveName(name: string): boolean {
  const parts = words(name);
  return parts.some((word) => sensitiveWords.has(word)) && !harmlessEndings.has(parts.at(-1) ?? '');
}

/** A copy of a log record without its secrets, safe to turn into JSON: no cycles, no raw bytes. Never throws. */
export function redact(record: object): Record<string, unknown> {
  try {
    return redactEntries(record, 0);
  } catch {
    // A getter or a proxy that throws: a log line is not worth a crash.
    return { unloggable: true };
  }
}

function redactEntries(record: object, depth: number): Record<string, unknown> {
  const entries = Object.entries(record).slice(0, maxEntries);
  return Object.fromEntries(entries.map(([name, value]) => [name, redactNamed(name, value, depth)]));
}

function redactNamed(name: string, value: unknown, depth: number): unknown {
  // A number or a flag cannot be a key: `keys: 3` stays readable.
  const couldBeSecret = typeof value === 'string' || (typeof value === 'object' && value !== null);
  return couldBeSecret && isSensitiveName(name) ? censored : redactValue(value, depth + 1);
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof KeyObject) return censored;
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (value instanceof Date || value instanceof URL) return value.toJSON();
  if (depth > maxDepth) return '[too deep]';
  if (value instanceof Error) return redactError(value, depth);
  if (Array.isArray(value) || value instanceof Set) {
    return [...value].slice(0, maxEntries).map((item) => redactValue(item, depth + 1));
  }
  if (value instanceof Map) return redactEntries(Object.fromEntries(value), depth);
  return redactEntries(value, depth);
}

function redactError(error: Error, depth: number): Record<string, unknown> {
  const { name, message, stack } = error;
  const cause = error.cause === undefined ? {} : { cause: redactValue(error.cause, depth + 1) };
  // Own properties carry `code`, `errno`, … and sometimes a whole request.
  return { type: name, message, ...redactEntries({ ...error }, depth), ...cause, stack };
}

// Patterns run over a finished JSON line, where a newline inside a string is the two characters \n.
const secretPatterns: readonly (readonly [RegExp, string])[] = [
  // To the end of the string, whether or not the END line is still there.
  [/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[^"]*/g, censored],
  // RFC 7519: three base64url parts, the first of which is a JSON object.
  [/\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*/g, censored],
  [/\b(bearer|basic) [\w+/=~.-]{8,}/gi, `$1 ${censored}`],
];

/**
 * A finished JSON line of pino without its secrets. Goes over names once more, because pino adds the bindings of child
 * loggers without asking.
 */
export function redactLine(line: string): string {
  return scrub(`${JSON.stringify(redact(JSON.parse(line) as object))}\n`);
}

/** The same line with everything that looks like a private key, a JWT or an HTTP credential cut out. */
function scrub(line: string): string {
  return secretPatterns.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), line);
}
