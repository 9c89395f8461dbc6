import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmod, lstat, mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { IdentityError } from '../../../src/identity/errors.ts';
import { nodeStorage, temporaryMaxAgeMs } from '../../../src/identity/private-files.ts';
import { openPrivateSet, type PrivateSetOptions } from '../../../src/identity/private-set.ts';
import { at, expectIdentityError, failingDisk, now, privateDirectory } from './support/storage.ts';

const fileNames = { lock: 'lock.txt', key: 'key.txt' };
const names = Object.values(fileNames);

/** A set whose two files hold the same text, of which there is no second. */
function open(dir: string, change: Partial<PrivateSetOptions<'lock' | 'key'>> = {}) {
  return openPrivateSet({
    dir,
    name: 'set',
    fileNames,
    now,
    make: () => {
      const content = randomUUID();
      return { lock: content, key: content };
    },
    incomplete: (path) => new IdentityError('ERR_CA_INCOMPLETE', path),
    corrupt: (reason) => new IdentityError('ERR_CA_CORRUPT', reason),
    ...change,
  });
}

/** Everything in the directory, with content and mode: what must not change. */
async function snapshot(dir: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const mode = ((await lstat(path)).mode & 0o777).toString(8);
    found[path.slice(dir.length)] = `${mode} ${entry.isFile() ? await readFile(path, 'utf8') : ''}`;
  }
  return found;
}

test('is made once and read from then on, in files for the owner alone', async () => {
  const dir = join(await privateDirectory(), 'above');
  const first = await open(dir);
  expect(first).toMatchObject({ path: join(dir, 'set'), created: true });
  expect(await open(dir)).toEqual({ ...first, created: false });
  const { lock } = first.files;
  expect(await snapshot(dir)).toEqual({
    '/set': '700 ',
    '/set/lock.txt': `600 ${lock}`,
    '/set/key.txt': `600 ${lock}`,
  });
});

describe('refuses what others could have read or written', () => {
  test('the directory, the set, or one of its files', async () => {
    const dir = await privateDirectory();
    await open(dir);
    for (const [path, mode, restored] of [
      [dir, 0o755, 0o700],
      [join(dir, 'set'), 0o750, 0o700],
      [join(dir, 'set/lock.txt'), 0o640, 0o600],
      [join(dir, 'set/key.txt'), 0o604, 0o600],
      [join(dir, 'set/key.txt'), 0o666, 0o600],
    ] as const) {
      await chmod(path, mode);
      const error = await expectIdentityError('ERR_NOT_PRIVATE', open(dir));
      expect(error.message).toContain(path);
      await chmod(path, restored);
    }
    expect((await open(dir)).created).toBe(false);
  });

  test('an open directory even before there is a set: nothing is made in it', async () => {
    const dir = await privateDirectory();
    await chmod(dir, 0o755);
    await expectIdentityError('ERR_NOT_PRIVATE', open(dir));
    expect(await readdir(dir)).toEqual([]);
  });

  test("another user's", async () => {
    const dir = await privateDirectory();
    await open(dir);
    const storage = { ...nodeStorage, uid: (nodeStorage.uid ?? 0) + 1 };
    await expectIdentityError('ERR_WRONG_OWNER', open(dir, { storage }));
  });
});

describe('makes no new set over an old one', () => {
  test.each(names)('of which %s is missing', async (name) => {
    const dir = await privateDirectory();
    await open(dir);
    await rm(join(dir, 'set', name));
    const before = await snapshot(dir);
    const error = await expectIdentityError('ERR_CA_INCOMPLETE', open(dir));
    expect(error.message).toBe(join(dir, 'set', name));
    expect(await snapshot(dir)).toEqual(before);
  });

  test.each(names)('of which %s is larger than any', async (name) => {
    const dir = await privateDirectory();
    await open(dir);
    await writeFile(join(dir, 'set', name), Buffer.alloc(64 * 1024 + 1, 0x41));
    const before = await snapshot(dir);
    await expectIdentityError('ERR_CA_CORRUPT', open(dir));
    expect(await snapshot(dir)).toEqual(before);
  });

  test('of which a file is torn: what is left of it is handed on as it is', async () => {
    const dir = await privateDirectory();
    const { files } = await open(dir);
    const torn = files.key.slice(0, 10);
    await writeFile(join(dir, 'set/key.txt'), torn);
    expect(await open(dir)).toMatchObject({ created: false, files: { lock: files.lock, key: torn } });
  });

  test('that is empty', async () => {
    const dir = await privateDirectory();
    await mkdir(join(dir, 'set'), { mode: 0o700 });
    await expectIdentityError('ERR_CA_INCOMPLETE', open(dir));
    expect(await readdir(join(dir, 'set'))).toEqual([]);
  });
});

describe('the first start', () => {
  test('on a disk that is full at any moment leaves nothing behind, and the next one succeeds', async () => {
    const complete = failingDisk(Number.POSITIVE_INFINITY);
    await open(join(await privateDirectory(), 'above'), { storage: complete.storage });
    // Directory, unfinished set, two files of an opening, a write and a sync each, the set's sync, the rename.
    expect(complete.operations()).toBeGreaterThanOrEqual(9);
    for (let failing = 0; failing < complete.operations(); failing++) {
      const dir = join(await privateDirectory(), 'above');
      await expectIdentityError('ERR_STORAGE_FULL', open(dir, { storage: failingDisk(failing).storage }));
      expect(await readdir(dir).catch(() => [])).toEqual([]);
      expect((await open(dir)).created).toBe(true);
    }
  });

  test('that is killed at any moment leaves no set or a whole one, and the next start finds its way', async () => {
    const counting = failingDisk(Number.POSITIVE_INFINITY);
    await open(join(await privateDirectory(), 'above'), { storage: counting.storage });
    for (let failing = 0; failing < counting.operations(); failing++) {
      const dir = join(await privateDirectory(), 'above');
      await expect(open(dir, { storage: failingDisk(failing, true).storage })).rejects.toThrow();
      const { files } = await open(dir);
      expect(files.lock).toBe(files.key);
      expect((await open(dir)).files).toEqual(files);
      // What is left of the killed start goes away once it is surely abandoned.
      for (const name of (await readdir(dir)).filter((each) => each !== 'set'))
        await utimes(join(dir, name), now, now);
      await open(dir, { now: at(temporaryMaxAgeMs + 1) });
      expect(await readdir(dir)).toEqual(['set']);
    }
  });

  test('of many at once, in one process, makes one set', async () => {
    const dir = await privateDirectory();
    const opened = await Promise.all(Array.from({ length: 8 }, () => open(dir)));
    expect(opened.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(opened.flatMap(({ files }) => Object.values(files))).size).toBe(1);
    expect(await readdir(dir)).toEqual(['set']);
  });

  test('of several processes at once makes one set', async () => {
    const dir = await privateDirectory();
    const module = new URL('../../../src/identity/private-set.ts', import.meta.url).href;
    const program = `
      import { randomUUID } from 'node:crypto';
      import { openPrivateSet } from ${JSON.stringify(module)};
      const { files, created } = await openPrivateSet({
        dir: process.argv[1],
        name: 'set',
        fileNames: { only: 'only.txt' },
        now: new Date('${now.toISOString()}'),
        make: () => ({ only: randomUUID() }),
        incomplete: (path) => new Error(path),
        corrupt: (reason) => new Error(reason),
      });
      console.log(JSON.stringify({ created, only: files.only }));
    `;
    const runs = await Promise.all(
      Array.from({ length: 4 }, () =>
        promisify(execFile)(process.execPath, ['--input-type=module', '-e', program, dir]),
      ),
    );
    const results = runs.map(({ stdout }) => JSON.parse(stdout) as { created: boolean; only: string });
    expect(results.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(results.map(({ only }) => only)).size).toBe(1);
  });
});
