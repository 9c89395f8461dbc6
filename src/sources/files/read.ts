// Reads one file, provided it is still the one that was seen.

import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { errorCode } from './file-problem.ts';
import { maxFileBytes } from './limits.ts';
import { signatureOf } from './scan.ts';

export type ReadResult =
  | { readonly text: string }
  /** It changed meanwhile: look again. */
  | { readonly changed: true }
  | { readonly code: 'UnreadableFile' | 'LimitExceeded' | 'InvalidSyntax'; readonly failure: string };

/** `signature` is what the scan saw. */
export async function readUnchanged(path: string, signature: string): Promise<ReadResult> {
  let file: FileHandle | undefined;
  try {
    // Non-blocking: opening a pipe that took the file's place would wait for a writer for ever.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const before = await file.stat({ bigint: true });
    if (signatureOf(before) !== signature || !before.isFile()) return { changed: true };
    if (before.size > maxFileBytes) {
      const failure = `${before.size} bytes is more than the ${maxFileBytes} a manifest file may have; split it`;
      return { code: 'LimitExceeded', failure };
    }
    const bytes = await readExactly(file, Number(before.size));
    if (signatureOf(await file.stat({ bigint: true })) !== signature) return { changed: true };
    return decode(bytes);
  } catch (cause) {
    const code = errorCode(cause);
    if (code === 'ENOENT') return { changed: true };
    return { code: 'UnreadableFile', failure: `cannot be read (${code}); check its permissions` };
  } finally {
    await file?.close();
  }
}

/** No more than the size that was checked, however fast the file grows. */
async function readExactly(file: FileHandle, size: number): Promise<Buffer> {
  const buffer = Buffer.alloc(size);
  let length = 0;
  while (length < size) {
    const { bytesRead } = await file.read(buffer, length, size - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}

function decode(bytes: Buffer): ReadResult {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    return { code: 'InvalidSyntax', failure: 'not UTF-8 text; manifests are UTF-8' };
  }
}
