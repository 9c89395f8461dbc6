// PEM after RFC 7468 §3 (strict textual encoding for what we write, explanatory text outside the blocks allowed in
// what we read).

import { CryptoError } from './errors.ts';

const lineLength = 64;

/** No PEM file of ours comes near: a bundle of a hundred ML-DSA-87 roots is about one megabyte. */
export const maxPemBytes = 4 * 1024 * 1024;

const boundary = /^-----(BEGIN|END) ([A-Z0-9#][A-Z0-9 #]{0,63})-----$/;
const base64Line = /^[A-Za-z0-9+/]{1,64}={0,2}$/;

/** One PEM block, ending in a newline. */
export function toPem(label: string, der: Uint8Array): string {
  const base64 = Buffer.from(der).toString('base64');
  const lines: string[] = [];
  for (let i = 0; i < base64.length; i += lineLength) lines.push(base64.slice(i, i + lineLength));
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/**
 * The contents of every block in the text, in order; at least one. A block with another label is an error, so that a
 * private key pasted into a bundle is noticed rather than passed around.
 * @throws CryptoError ERR_PEM; the message never quotes the content.
 */
export function fromPem(text: string, label: string): Buffer[] {
  if (text.length > maxPemBytes) throw pemError(`the text is longer than ${maxPemBytes} bytes`);
  const blocks: Buffer[] = [];
  let body: string[] | undefined;
  for (const [index, rawLine] of text.split('\n').entries()) {
    const line = rawLine.trimEnd();
    const mark = boundary.exec(line);
    const where = `line ${index + 1}`;
    if (mark === null) {
      if (body !== undefined) body.push(bodyLine(line, where));
      else if (line.startsWith('-----')) throw pemError(`${where}: a broken BEGIN or END line`);
      continue;
    }
    if (mark[2] !== label) throw pemError(`${where}: expected only "${label}" blocks, found "${mark[2]}"`);
    if ((mark[1] === 'BEGIN') !== (body === undefined)) throw pemError(`${where}: ${mark[1]} out of order`);
    if (body === undefined) {
      body = [];
    } else {
      blocks.push(decode(body.join(''), where));
      body = undefined;
    }
  }
  if (body !== undefined) throw pemError('the last block has no END line; the file is cut off');
  if (blocks.length === 0) throw pemError(`no "${label}" block found`);
  return blocks;
}

/** The content of a text that must hold exactly one block. */
export function fromPemOne(text: string, label: string): Buffer {
  const [first, ...rest] = fromPem(text, label);
  if (first === undefined || rest.length > 0)
    throw pemError(`expected one "${label}" block, found ${rest.length + 1}`);
  return first;
}

function bodyLine(line: string, where: string): string {
  if (!base64Line.test(line)) throw pemError(`${where}: not base64`);
  return line;
}

function decode(base64: string, where: string): Buffer {
  const bytes = Buffer.from(base64, 'base64');
  // Buffer skips what it does not understand; only the canonical text encodes back to itself.
  if (bytes.length === 0 || bytes.toString('base64') !== base64)
    throw pemError(`${where}: the block above is not canonical base64`);
  return bytes;
}

function pemError(message: string): CryptoError {
  return new CryptoError('ERR_PEM', `not the expected PEM: ${message}`);
}
