import { chmod, chown, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type CacheEntry, cacheDirectory, cached } from '../../../src/cli/tools/cache.ts';
import { sandbox } from './fakes.ts';

describe('cacheDirectory', () => {
  test.each([
    [{ TRELLIS_CACHE: '/a', XDG_CACHE_HOME: '/b', HOME: '/c' }, '/a'],
    [{ TRELLIS_CACHE: '', XDG_CACHE_HOME: '/b', HOME: '/c' }, '/b/trellis'],
    [{ XDG_CACHE_HOME: 'relative', HOME: '/c' }, '/c/.cache/trellis'],
    [{ HOME: '/c' }, '/c/.cache/trellis'],
  ])('%j gives %s', (env, directory) => {
    expect(cacheDirectory(env)).toBe(directory);
  });

  test('a relative TRELLIS_CACHE is a mistake: it would be another one in every directory', () => {
    expect(() => cacheDirectory({ TRELLIS_CACHE: 'cache' })).toThrow(
      expect.objectContaining({ code: 'ERR_CACHE_DIRECTORY' }),
    );
  });
});

describe('cached', () => {
  async function entry(overrides: Partial<CacheEntry<string>> = {}): Promise<CacheEntry<string>> {
    return {
      cache: (await sandbox()).cache,
      name: 'thing',
      check: async (directory) => {
        const names: string[] = await readdir(directory).catch(() => []);
        return names.includes('done') ? directory : undefined;
      },
      install: (directory) => writeFile(join(directory, 'done'), ''),
      ...overrides,
    };
  }

  test('refuses a directory in which anyone could plant a program', async () => {
    const planted = await entry();
    await cached(planted);
    await chmod(planted.cache, 0o777);
    await expect(cached(planted)).rejects.toMatchObject({
      code: 'ERR_CACHE_DIRECTORY',
      message: expect.stringContaining('can be written by anyone'),
    });
  });

  // Only root can give a directory away.
  test.runIf(process.getuid?.() === 0)('refuses a directory of another user', async () => {
    const foreign = await entry();
    await cached(foreign);
    await chown(foreign.cache, 12_345, 12_345);
    await expect(cached(foreign)).rejects.toMatchObject({
      code: 'ERR_CACHE_DIRECTORY',
      message: expect.stringContaining('belongs to another user (uid 12345)'),
    });
  });

  test('makes its directory for this user alone', async () => {
    const thing = await entry();
    expect(await cached(thing)).toBe(join(thing.cache, 'thing'));
    expect((await stat(thing.cache)).mode & 0o777).toBe(0o700);
  });

  test('replaces whatever else has taken the name', async () => {
    const thing = await entry();
    await mkdir(thing.cache, { mode: 0o700 });
    await writeFile(join(thing.cache, 'thing'), 'a file');
    expect(await cached(thing)).toBe(join(thing.cache, 'thing'));
    expect(await readdir(thing.cache)).toEqual(['thing']);
  });

  test('says what to do when the directory cannot be made', async () => {
    const { root } = await sandbox();
    await writeFile(join(root, 'file'), '');
    await expect(cached(await entry({ cache: join(root, 'file/cache') }))).rejects.toMatchObject({
      code: 'ERR_CACHE_DIRECTORY',
      message: expect.stringContaining('TRELLIS_CACHE'),
    });
  });

  test('an installation that checks out badly is not put in place', async () => {
    const bad = await entry({ install: async () => {} });
    await expect(cached(bad)).rejects.toMatchObject({ code: 'ERR_TOOL_INSTALL' });
    expect(await readdir(bad.cache)).toEqual([]);
  });

  test('when another process was faster, its installation is used', async () => {
    const slow = await entry();
    const theirs = join(slow.cache, 'thing');
    const result = await cached({
      ...slow,
      install: async (directory) => {
        await mkdir(theirs);
        await writeFile(join(theirs, 'done'), 'theirs');
        await slow.install(directory);
      },
    });
    expect(result).toBe(theirs);
    expect(await readdir(slow.cache)).toEqual(['thing']);
  });
});
