import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { createProgress } from '../../../../src/cli/signing/progress.ts';

function told(total: number, isTerminal: boolean) {
  const lines: string[] = [];
  const screen = new PassThrough();
  let drawn = '';
  screen.setEncoding('utf8').on('data', (text: string) => {
    drawn += text;
  });
  const terminal = isTerminal
    ? (Object.assign(screen, { isTTY: true, columns: 100 }) as unknown as NodeJS.WriteStream)
    : undefined;
  const progress = createProgress({ total, what: 'verifying', terminal, log: (line) => lines.push(line) });
  for (const image of ['a:1', 'b:1', 'c:1'].slice(0, total)) progress.done(image);
  progress.end();
  return { lines, drawn: () => drawn };
}

test('one image needs no progress', () => {
  expect(told(1, false).lines).toEqual([]);
  expect(told(1, true).drawn()).toBe('');
});

test('a log gets a line for each image', () => {
  expect(told(3, false).lines).toEqual(['[1/3] a:1', '[2/3] b:1', '[3/3] c:1']);
});

test('a terminal gets what is drawn, and no lines', () => {
  const { lines, drawn } = told(3, true);
  expect(lines).toEqual([]);
  expect(drawn()).toContain('3 of 3 images');
});
