import { chmod, lstat, mkdir, readdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  checkPrivateDirectory,
  ensurePrivateDirectory,
  nodeStorage,
  readPrivateFile,
  sweepTemporaries,
  temporaryMaxAgeMs,
  temporaryPath,
  writePrivateFileAtomically,
} from '../../../src/identity/private-files.ts';
import { expectIdentityError, failingDisk, privateDirectory } from './support/storage.ts';

const modeOf = async (path: string): Promise<number> => (await lstat(path)).mode & 0o777;
const someoneElse = { ...nodeStorage, uid: (nodeStorage.uid ?? 0) + 1 };

describe('ensurePrivateDirectory', () => {
  test('makes the directory and its parents for the owner alone', async () => {
    const dir = await privateDirectory();
    await ensurePrivateDirectory(nodeStorage, join(dir, 'a/b'));
    expect([await modeOf(join(dir, 'a')), await modeOf(join(dir, 'a/b'))]).toEqual([0o700, 0o700]);
  });

  test.each([0o750, 0o705, 0o701, 0o770, 0o777])(
    'refuses an existing one of mode %o and says what to do',
    async (mode) => {
      const dir = await privateDirectory();
      await chmod(dir, mode);
      const error = await expectIdentityError('ERR_NOT_PRIVATE', ensurePrivateDirectory(nodeStorage, dir));
      expect(error.message).toContain(`chmod 700 ${dir}`);
      expect(await modeOf(dir)).toBe(mode);
    },
  );

  test('refuses one that belongs to another user', async () => {
    await expectIdentityError(
      'ERR_WRONG_OWNER',
      ensurePrivateDirectory(someoneElse, await privateDirectory()),
    );
  });
});

test('checkPrivateDirectory refuses a file', async () => {
  const path = join(await privateDirectory(), 'file');
  await writeFile(path, '', { mode: 0o600 });
  await expectIdentityError('ERR_NOT_PRIVATE', checkPrivateDirectory(nodeStorage, path));
});

describe('writePrivateFileAtomically and readPrivateFile', () => {
  test('write for the owner alone, replace, and read back', async () => {
    const path = join(await privateDirectory(), 'file');
    await writePrivateFileAtomically(nodeStorage, path, 'first');
    await writePrivateFileAtomically(nodeStorage, path, 'second');
    expect(await modeOf(path)).toBe(0o600);
    expect((await readPrivateFile(nodeStorage, path, 100))?.toString()).toBe('second');
    expect(await readPrivateFile(nodeStorage, `${path}-not`, 100)).toBeUndefined();
  });

  test.each([0o640, 0o604, 0o620, 0o666])('refuse to read a file of mode %o', async (mode) => {
    const path = join(await privateDirectory(), 'file');
    await writePrivateFileAtomically(nodeStorage, path, 'secret');
    await chmod(path, mode);
    const error = await expectIdentityError('ERR_NOT_PRIVATE', readPrivateFile(nodeStorage, path, 100));
    expect(error.message).toContain(`chmod 600 ${path}`);
    expect(error.message).not.toContain('secret');
  });

  test("refuse another user's file, a link, a directory and a file that is too large", async () => {
    const dir = await privateDirectory();
    const path = join(dir, 'file');
    await writePrivateFileAtomically(nodeStorage, path, 'secret');
    await symlink(path, join(dir, 'link'));
    await expectIdentityError('ERR_WRONG_OWNER', readPrivateFile(someoneElse, path, 100));
    await expectIdentityError('ERR_NOT_PRIVATE', readPrivateFile(nodeStorage, join(dir, 'link'), 100));
    await expectIdentityError('ERR_NOT_PRIVATE', readPrivateFile(nodeStorage, dir, 100));
    await expect(readPrivateFile(nodeStorage, path, 5)).rejects.toThrow(RangeError);
  });

  test('a full disk at any moment leaves the old content, and nothing beside it', async () => {
    const dir = await privateDirectory();
    const path = join(dir, 'file');
    await writePrivateFileAtomically(nodeStorage, path, 'the old content');
    const complete = failingDisk(Number.POSITIVE_INFINITY);
    await writePrivateFileAtomically(complete.storage, join(dir, 'other'), 'x');
    expect(complete.operations()).toBe(4);
    for (let failing = 0; failing < complete.operations(); failing++) {
      const write = writePrivateFileAtomically(failingDisk(failing).storage, path, 'the new content');
      const error = await expectIdentityError('ERR_STORAGE_FULL', write);
      expect(error.message).toContain(path);
      expect(await readFile(path, 'utf8')).toBe('the old content');
      expect((await readdir(dir)).sort()).toEqual(['file', 'other']);
    }
  });
});

test('sweepTemporaries removes what was left behind long ago, and nothing else', async () => {
  const dir = await privateDirectory();
  const [left, fresh, leftDirectory] = [0, 1, 2].map(() => temporaryPath(nodeStorage, dir)) as [
    string,
    string,
    string,
  ];
  const keep = join(dir, 'key.pem');
  await writeFile(left, '');
  await writeFile(fresh, '');
  await writeFile(keep, '');
  await mkdir(leftDirectory);
  const time = new Date('2026-03-01T12:00:00Z');
  for (const path of [left, keep, leftDirectory]) await utimes(path, time, time);
  const later = new Date(time.getTime() + temporaryMaxAgeMs + 1);
  await utimes(fresh, later, later);
  await sweepTemporaries(nodeStorage, dir, later);
  expect((await readdir(dir)).map((name) => join(dir, name)).sort()).toEqual([fresh, keep].sort());
});
