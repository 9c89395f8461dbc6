// A stream of bytes as lines: watches are one JSON document a line.

import { KubernetesError } from '../errors.ts';

const newline = 10;

/** What follows the last newline is a line that was cut off, and is dropped. @throws KubernetesError ERR_KUBE_TOO_LARGE */
export async function* linesOf(chunks: AsyncIterable<Buffer>, maxLineBytes: number): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  let size = 0;
  const add = (piece: Buffer): void => {
    size += piece.length;
    if (size > maxLineBytes) {
      throw new KubernetesError('ERR_KUBE_TOO_LARGE', `an event of more than ${maxLineBytes} bytes`);
    }
    if (piece.length > 0) parts.push(piece);
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      add(chunk.subarray(start, end));
      yield Buffer.concat(parts).toString('utf8');
      parts = [];
      size = 0;
      start = end + 1;
    }
    add(chunk.subarray(start));
  }
}
