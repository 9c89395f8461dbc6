// Base64 (RFC 4648 §4) in its one canonical form. Where several texts stand for the same bytes, a signature could be
// written a second time without being signed a second time, and two readers could see two documents.

import { SigningError } from './errors.ts';

/**
 * The bytes that the text stands for: standard alphabet, padded, no white space, unused bits zero (RFC 4648 §3.5).
 * @param what it is, for the message
 * @throws SigningError ERR_BASE64_INVALID
 */
export function decodeBase64(text: string, what: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  // Buffer skips what it does not understand; only the canonical text encodes back to itself.
  if (bytes.toString('base64') === text) return bytes;
  throw new SigningError(
    'ERR_BASE64_INVALID',
    `${what} is not canonical base64 (standard alphabet, with padding): it was changed, or written by a tool that encodes it differently; sign again`,
  );
}

export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
