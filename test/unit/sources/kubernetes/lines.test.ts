import { expect, test } from 'vitest';
import { linesOf } from '../../../../src/sources/kubernetes/reflect/lines.ts';

async function* chunks(...texts: readonly (string | Buffer)[]): AsyncGenerator<Buffer> {
  for (const text of texts) yield Buffer.from(text as string);
}

async function read(limit: number, ...texts: readonly (string | Buffer)[]): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const line of linesOf(chunks(...texts), limit)) lines.push(line);
  return lines;
}

test('lines, however they come; one that was cut off is none', async () => {
  const euro = Buffer.from('€');
  expect(await read(10, 'a\nb', 'c\n', '', '\n', euro.subarray(0, 1), euro.subarray(1), '\nrest')).toEqual([
    ...['a', 'bc', '', '€'],
  ]);
  expect(await read(10)).toEqual([]);
});

test('a line has a limit, also while it has no end yet; many lines have none', async () => {
  expect(await read(2, 'ab\ncd\n')).toEqual(['ab', 'cd']);
  await expect(read(2, 'abc\n')).rejects.toMatchObject({ code: 'ERR_KUBE_TOO_LARGE' });
  await expect(read(2, 'a', 'b', 'c')).rejects.toMatchObject({ code: 'ERR_KUBE_TOO_LARGE' });
});
