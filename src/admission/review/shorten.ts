// Texts that fit. What is cut says so.

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
