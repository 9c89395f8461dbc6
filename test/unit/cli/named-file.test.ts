import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { namingFile, readNamedFile } from '../../../src/cli/named-file.ts';
import { temporaryDirectory } from '../../support/control-plane.ts';

let directory: string;
beforeEach(async () => {
  directory = await temporaryDirectory();
});

describe('a file that a command line names', () => {
  test('is read, up to its limit', async () => {
    const path = join(directory, 'file');
    await writeFile(path, 'four');
    expect(String(await readNamedFile('the thing', path, 4))).toBe('four');
    await expect(readNamedFile('the thing', path, 3)).rejects.toMatchObject({
      code: 'ERR_USAGE',
      message: `the thing ${path} is larger than 3 bytes`,
    });
  });

  test('has an end, whatever its size says', async () => {
    await expect(readNamedFile('the thing', '/dev/zero', 1000)).rejects.toMatchObject({
      message: expect.stringContaining('larger than 1000 bytes'),
    });
  });

  test.each([
    ['is missing', async () => {}, 'there is no such file'],
    ['is a directory', (path: string) => mkdir(path), 'it is a directory; give a file'],
    ['is a link to itself', (path: string) => symlink(path, path), 'it is a link that leads to itself'],
  ])('that %s is a usage error that names it', async (_, make, why) => {
    const path = join(directory, 'file');
    await make(path);
    const fault = { code: 'ERR_USAGE', message: `the thing ${path}: ${why}` };
    await expect(readNamedFile('the thing', path, 10)).rejects.toMatchObject(fault);
  });

  test.skipIf(process.getuid?.() === 0)('that this user may not read is one, too', async () => {
    const path = join(directory, 'file');
    await writeFile(path, '');
    await chmod(path, 0);
    const message = `the thing ${path}: this user may not read it`;
    await expect(readNamedFile('the thing', path, 10)).rejects.toMatchObject({ message });
  });
});

test('what is no fault of a file passes unchanged', async () => {
  const error = new Error('odd');
  await expect(namingFile('the thing', 'x', () => Promise.reject(error))).rejects.toBe(error);
});
