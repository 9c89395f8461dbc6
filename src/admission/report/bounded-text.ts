// Text of others in what is written to the API server: on one line, and no longer than what takes it allows.

import { escapeInvisible } from '../../model/problem.ts';
import { shortenBytes } from '../review/shorten.ts';

/** @param maxBytes in UTF-8, as the API server counts */
export function boundedText(text: string, maxBytes: number): string {
  // Escaping only ever lengthens, so what lies beyond the limit now lies beyond it afterwards.
  return shortenBytes(escapeInvisible(text.slice(0, maxBytes + 1)), maxBytes);
}

/** As many whole sentences as there is room for, and how many were left out; the first is cut rather than left out. */
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
