// The body of a request: what it costs is known while it comes, and before it is parsed.

import type { IncomingMessage } from 'node:http';
import type { Course } from './course.ts';
import type { Share } from './load.ts';
import { worthOf } from './worth.ts';

export type Question =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'no-json' }
  /** More than one request may ever take. */
  | { readonly kind: 'too-dear' }
  /** Too much under way, now. */
  | { readonly kind: 'overloaded' };

/** Of each piece in which a body comes, beside its bytes: pieces of one byte cost as well. */
const pieceBytes = 256;

/**
 * What it takes is held until the course ends: the value lives as long as it is judged.
 * @param maxBytes that one request may take
 * @throws when the body does not come to its end
 */
export async function readQuestion(
  request: IncomingMessage,
  { share, signal }: Pick<Course, 'share' | 'signal'>,
  maxBytes: number,
): Promise<Question> {
  const body = await readBody(request, share, signal);
  if (body === undefined) return { kind: 'overloaded' };
  const worth = worthOf(body);
  if (worth > maxBytes) return { kind: 'too-dear' };
  if (!share.hold(worth) || !share.complete()) return { kind: 'overloaded' };
  return parse(body);
}

/** Always read to its end, or the connection could not be used again. @returns undefined when it was too much to keep */
async function readBody(
  request: IncomingMessage,
  share: Share,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  let pieces: Buffer[] | undefined = [];
  let held = 0;
  // At once: the next piece may be long in coming, and what this one held is somebody else's already.
  const drop = (): void => {
    pieces = undefined;
  };
  signal.addEventListener('abort', drop);
  for await (const piece of request as AsyncIterable<Buffer>) {
    held += piece.byteLength + pieceBytes;
    if (pieces !== undefined && share.hold(held)) {
      pieces.push(piece);
    } else {
      pieces = undefined;
      share.hold(0);
    }
  }
  // Or they would live as long as what is parsed from them.
  signal.removeEventListener('abort', drop);
  return pieces && Buffer.concat(pieces);
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** A key `__proto__` becomes a field like any other (ECMA-262, JSON.parse), and nothing looks for one of that name. */
function parse(body: Buffer): Question {
  try {
    return { kind: 'json', value: JSON.parse(utf8.decode(body)) };
  } catch {
    return { kind: 'no-json' };
  }
}
