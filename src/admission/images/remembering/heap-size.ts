// How much memory a value holds, for caches that are bounded in bytes. What others wrote can be much larger in memory than on
// the wire (`{}` has two bytes and takes fifty-six), so it is counted and not scaled.

/** Of V8 on 64-bit machines, rounded up: headers, elements and their spare room. */
const objectBytes = 64;
/** Its value, and its part of the hidden class or, in large objects, of the dictionary. */
const memberBytes = 96;
const arrayBytes = 48;
/** Arrays that grew have up to half as much room again as they need. */
const elementBytes = 12;
const textBytes = 24;
const numberBytes = 16;
const bufferBytes = 160;
/** A key, which has its parsed form beside its encoding. */
const opaqueBytes = 8 * 1024;

/**
 * An estimate that is rather too high. What is found twice counts once.
 * @param enough counting ends where it is more than that, for whoever wants to know no more
 */
export function heapBytes(value: unknown, enough = Number.POSITIVE_INFINITY): number {
  const seen = new Set<object>();
  // Documents may be as deep as their parser allows; this takes no stack.
  const waiting: unknown[] = [value];
  let bytes = 0;
  while (waiting.length > 0 && bytes <= enough) {
    const next = waiting.pop();
    if (typeof next !== 'object' || next === null) {
      bytes += scalarBytes(next);
    } else if (!seen.has(next)) {
      seen.add(next);
      bytes += ownBytes(next);
      for (const part of partsOf(next)) waiting.push(part);
    }
  }
  return bytes;
}

function scalarBytes(value: unknown): number {
  if (typeof value === 'string') return stringBytes(value);
  return typeof value === 'number' ? numberBytes : 0;
}

/** One byte a character for ASCII, and at most two. */
function stringBytes(text: string): number {
  return textBytes + text.length * (Buffer.byteLength(text) === text.length ? 1 : 2);
}

function ownBytes(object: object): number {
  if (Array.isArray(object)) return arrayBytes + object.length * elementBytes;
  if (ArrayBuffer.isView(object)) return bufferBytes + object.byteLength;
  if (!isPlain(object)) return opaqueBytes;
  let bytes = objectBytes;
  for (const name of Object.keys(object)) bytes += memberBytes + stringBytes(name);
  return bytes;
}

function partsOf(object: object): Iterable<unknown> {
  if (ArrayBuffer.isView(object)) return [];
  if (Array.isArray(object)) return object;
  return isPlain(object) ? Object.values(object) : [];
}

function isPlain(object: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(object);
  return prototype === Object.prototype || prototype === null;
}
