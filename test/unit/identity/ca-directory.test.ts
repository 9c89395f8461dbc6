// How the set comes into being and is kept private is in private-set.test.ts.

import { lstat, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openCaDirectory } from '../../../src/identity/ca-directory.ts';
import { rootLifetimeMs } from '../../../src/identity/lifetimes.ts';
import { nodeStorage } from '../../../src/identity/private-files.ts';
import { at, expectIdentityError, now, privateDirectory } from './support/storage.ts';

const trustDomain = 'mesh.example';
const names = ['certificate.pem', 'counter-key.pem', 'key.pem'];

const open = (dir: string, change: Partial<Parameters<typeof openCaDirectory>[0]> = {}) =>
  openCaDirectory({ dir, trustDomain, now, ...change });

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

  test("is stopped by another user's directory or files", async () => {
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
});
