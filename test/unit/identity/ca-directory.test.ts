import { execFile } from 'node:child_process';
import { chmod, lstat, mkdir, readdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { openCaDirectory } from '../../../src/identity/ca-directory.ts';
import { rootLifetimeMs } from '../../../src/identity/lifetimes.ts';
import { nodeStorage, temporaryMaxAgeMs } from '../../../src/identity/private-files.ts';
import { at, expectIdentityError, failingDisk, now, privateDirectory } from './support/storage.ts';

const trustDomain = 'mesh.example';
const names = ['certificate.pem', 'counter-key.pem', 'key.pem'];

const open = (dir: string, change: Partial<Parameters<typeof openCaDirectory>[0]> = {}) =>
  openCaDirectory({ dir, trustDomain, now, ...change });
const serialOf = ({ ca }: Awaited<ReturnType<typeof open>>): string =>
  ca.issuer.certificate.serial.toString('hex');

/** Everything in the directory, with content and mode: what must not change. */
async function snapshot(dir: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const mode = ((await lstat(path)).mode & 0o777).toString(8);
    found[path.slice(dir.length)] = `${mode} ${entry.isFile() ? await readFile(path, 'base64') : ''}`;
  }
  return found;
}

describe('openCaDirectory', () => {
  test('makes a root on first start and reads the same one afterwards', async () => {
    const dir = join(await privateDirectory(), 'ca');
    const first = await open(dir);
    const second = await open(dir);
    expect([first.created, second.created]).toEqual([true, false]);
    expect(second.ca.issuer.certificate.der).toEqual(first.ca.issuer.certificate.der);
    expect(second.ca.issuer.key.publicKey.equals(first.ca.issuer.key.publicKey)).toBe(true);
  });

  test('keeps the two keys in files of their own, for the owner alone', async () => {
    const dir = await privateDirectory();
    await open(dir);
    const found = await snapshot(dir);
    expect(Object.keys(found).sort()).toEqual(['/root', ...names.map((name) => `/root/${name}`)]);
    expect(found['/root']).toBe('700 ');
    for (const name of names) expect(found[`/root/${name}`]).toMatch(/^600 /);
    expect(found['/root/key.pem']).not.toBe(found['/root/counter-key.pem']);
  });

  test('is stopped by an expired root, without touching it', async () => {
    const dir = await privateDirectory();
    await open(dir);
    const before = await snapshot(dir);
    await expectIdentityError('ERR_CA_EXPIRED', open(dir, { now: at(rootLifetimeMs + 1) }));
    expect(await snapshot(dir)).toEqual(before);
  });

  test('is stopped by the CA of another trust domain', async () => {
    const dir = await privateDirectory();
    await open(dir);
    await expectIdentityError('ERR_CA_TRUST_DOMAIN', open(dir, { trustDomain: 'other.example' }));
  });
});

describe('refuses what others could have read', () => {
  test('a directory, the set inside it, or one of its files', async () => {
    const dir = await privateDirectory();
    await open(dir);
    for (const [path, mode, restored] of [
      [dir, 0o755, 0o700],
      [join(dir, 'root'), 0o750, 0o700],
      [join(dir, 'root/key.pem'), 0o640, 0o600],
      [join(dir, 'root/counter-key.pem'), 0o604, 0o600],
      [join(dir, 'root/certificate.pem'), 0o666, 0o600],
    ] as const) {
      await chmod(path, mode);
      const error = await expectIdentityError('ERR_NOT_PRIVATE', open(dir));
      expect(error.message).toContain(path);
      await chmod(path, restored);
    }
    expect((await open(dir)).created).toBe(false);
  });

  test('an open directory even before there is a root: nothing is made in it', async () => {
    const dir = await privateDirectory();
    await chmod(dir, 0o755);
    await expectIdentityError('ERR_NOT_PRIVATE', open(dir));
    expect(await readdir(dir)).toEqual([]);
  });

  test("another user's directory or files", async () => {
    const dir = await privateDirectory();
    await open(dir);
    const storage = { ...nodeStorage, uid: (nodeStorage.uid ?? 0) + 1 };
    await expectIdentityError('ERR_WRONG_OWNER', open(dir, { storage }));
  });
});

describe('never makes a new root over an old one', () => {
  test.each(names)('%s is missing', async (name) => {
    const dir = await privateDirectory();
    await open(dir);
    await rm(join(dir, 'root', name));
    const before = await snapshot(dir);
    const error = await expectIdentityError('ERR_CA_INCOMPLETE', open(dir));
    expect(error.message).toContain(name);
    expect(await snapshot(dir)).toEqual(before);
  });

  test.each(names)('%s is torn, empty, garbage or huge', async (name) => {
    const dir = await privateDirectory();
    await open(dir);
    const path = join(dir, 'root', name);
    const { size } = await lstat(path);
    for (const damage of [
      () => truncate(path, Math.floor(size / 2)),
      () => truncate(path, 0),
      () => writeFile(path, Buffer.alloc(500, 0xff)),
      () => writeFile(path, Buffer.alloc(100_000, 0x41)),
    ]) {
      await damage();
      const before = await snapshot(dir);
      await expectIdentityError('ERR_CA_CORRUPT', open(dir));
      expect(await snapshot(dir)).toEqual(before);
    }
  });

  test('a file of another CA among them', async () => {
    const [dir, elsewhere] = [await privateDirectory(), await privateDirectory()];
    await open(dir);
    await open(elsewhere);
    await writeFile(
      join(dir, 'root/counter-key.pem'),
      await readFile(join(elsewhere, 'root/counter-key.pem')),
    );
    await expectIdentityError('ERR_CA_CORRUPT', open(dir));
  });

  test('an empty set', async () => {
    const dir = await privateDirectory();
    await mkdir(join(dir, 'root'), { mode: 0o700 });
    await expectIdentityError('ERR_CA_INCOMPLETE', open(dir));
  });
});

describe('the first start', () => {
  test('on a disk that is full at any moment leaves nothing behind, and the next one succeeds', async () => {
    const complete = failingDisk(Number.POSITIVE_INFINITY);
    await open(join(await privateDirectory(), 'ca'), { storage: complete.storage });
    expect(complete.operations()).toBeGreaterThanOrEqual(12);
    for (let failing = 0; failing < complete.operations(); failing++) {
      const dir = join(await privateDirectory(), 'ca');
      await expectIdentityError('ERR_STORAGE_FULL', open(dir, { storage: failingDisk(failing).storage }));
      expect(await readdir(dir).catch(() => [])).toEqual([]);
      expect((await open(dir)).created).toBe(true);
    }
  });

  test('that is killed at any moment leaves no root or a whole one, and the next start finds its way', async () => {
    const counting = failingDisk(Number.POSITIVE_INFINITY);
    await open(join(await privateDirectory(), 'ca'), { storage: counting.storage });
    for (let failing = 0; failing < counting.operations(); failing++) {
      const dir = join(await privateDirectory(), 'ca');
      await expect(open(dir, { storage: failingDisk(failing, true).storage })).rejects.toThrow();
      const opened = await open(dir);
      expect(serialOf(await open(dir))).toBe(serialOf(opened));
      // What is left of the killed start goes away once it is surely abandoned.
      for (const name of (await readdir(dir)).filter((each) => each !== 'root'))
        await utimes(join(dir, name), now, now);
      await open(dir, { now: at(temporaryMaxAgeMs + 1) });
      expect(await readdir(dir)).toEqual(['root']);
    }
  });

  test('of many at once, in one process, makes one root', async () => {
    const dir = await privateDirectory();
    const opened = await Promise.all(Array.from({ length: 8 }, () => open(dir)));
    expect(opened.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(opened.map(serialOf)).size).toBe(1);
    expect(await readdir(dir)).toEqual(['root']);
  });

  test('of several processes at once makes one root', async () => {
    const dir = await privateDirectory();
    const module = new URL('../../../src/identity/ca-directory.ts', import.meta.url).href;
    const program = `
      import { openCaDirectory } from ${JSON.stringify(module)};
      const options = { dir: process.argv[1], trustDomain: 'mesh.example', now: new Date('${now.toISOString()}') };
      const { ca, created } = await openCaDirectory(options);
      console.log(JSON.stringify({ created, serial: ca.issuer.certificate.serial.toString('hex') }));
    `;
    const runs = await Promise.all(
      Array.from({ length: 4 }, () =>
        promisify(execFile)(process.execPath, ['--input-type=module', '-e', program, dir]),
      ),
    );
    const results = runs.map(({ stdout }) => JSON.parse(stdout) as { created: boolean; serial: string });
    expect(results.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(results.map(({ serial }) => serial)).size).toBe(1);
  });
});
