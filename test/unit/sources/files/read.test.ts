import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { maxFileBytes } from '../../../../src/sources/files/limits.ts';
import { readUnchanged } from '../../../../src/sources/files/read.ts';
import { signatureOf } from '../../../../src/sources/files/scan.ts';
import { makePipe, temporaryDirectory } from './support.ts';

const signature = async (path: string) => signatureOf(await stat(path, { bigint: true }));

describe('readUnchanged', () => {
  test('reads the file that was seen', async () => {
    const file = join(await temporaryDirectory(), 'a.yaml');
    await writeFile(file, '\ufeffaé: 1\n');
    expect(await readUnchanged(file, await signature(file))).toEqual({ text: 'aé: 1\n' });
  });

  test('does not read one that was written since, or is gone', async () => {
    const file = join(await temporaryDirectory(), 'a.yaml');
    await writeFile(file, 'a: 1\n');
    const seen = await signature(file);
    await writeFile(file, 'a: 1\nb: 2\n');
    expect(await readUnchanged(file, seen)).toEqual({ changed: true });
    expect(await readUnchanged(`${file}.gone`, seen)).toEqual({ changed: true });
  });

  test('does not wait for a pipe that took its place', async () => {
    const file = join(await temporaryDirectory(), 'a.yaml');
    makePipe(file);
    expect(await readUnchanged(file, await signature(file))).toEqual({ changed: true });
  });

  test('refuses what is too large or not text', async () => {
    const file = join(await temporaryDirectory(), 'a.yaml');
    await writeFile(file, Buffer.alloc(maxFileBytes + 1));
    expect(await readUnchanged(file, await signature(file))).toMatchObject({ code: 'LimitExceeded' });
    await writeFile(file, Buffer.from([0xc3, 0x28]));
    expect(await readUnchanged(file, await signature(file))).toMatchObject({ code: 'InvalidSyntax' });
  });
});
