// base64url without padding (RFC 7515 §2), of which there is one spelling for one content: with others accepted, a token
// could be altered without becoming invalid.

/** Undefined for anything but the canonical form of at least one byte. */
export function decodeBase64url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  // Buffer skips what it does not understand; only the canonical text encodes back to itself.
  return bytes.length > 0 && bytes.toString('base64url') === text ? bytes : undefined;
}
