// Texts that fit. What is cut says so.

import { escapeInvisible } from '../model/problem.ts';

const ellipsis = '…';

/** At most so many characters, counted as the API server counts (code points, Go's runes). */
export function shortenChars(text: string, maxChars: number): string {
  // A text has no more characters than code units.
  if (text.length <= maxChars) return text;
  const characters = [...text];
  if (characters.length <= maxChars) return text;
  return `${characters.slice(0, maxChars - 1).join('')}${ellipsis}`;
}

/** At most so many bytes of UTF-8. */
export function shortenBytes(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  const room = new Uint8Array(maxBytes - Buffer.byteLength(ellipsis));
  // Writes whole characters only.
  const { read } = new TextEncoder().encodeInto(text, room);
  return `${text.slice(0, read)}${ellipsis}`;
}

/** Text of others: on one line, and at most so many bytes of UTF-8. */
export function boundedText(text: string, maxBytes: number): string {
  // Escaping only ever lengthens, so what lies beyond the limit now lies beyond it afterwards.
  return shortenBytes(escapeInvisible(text.slice(0, maxBytes + 1)), maxBytes);
}

/** The same of several sentences: as many whole ones as there is room for, and how many were left out; the first is cut rather than left out. */
export function boundedSentences([first = '', ...others]: readonly string[], maxBytes: number): string {
  if (others.length === 0) return boundedText(first, maxBytes);
  const room = maxBytes - Buffer.byteLength(andMore(others.length));
  let text = boundedText(first, room);
  for (const [index, sentence] of others.entries()) {
    const longer = `${text}; ${escapeInvisible(sentence.slice(0, maxBytes))}`;
    if (Buffer.byteLength(longer) > room) return text + andMore(others.length - index);
    text = longer;
  }
  return text;
}

function andMore(count: number): string {
  return ` (and ${count} more)`;
}
