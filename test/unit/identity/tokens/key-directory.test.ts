import { execFile } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { exportPkcs8, generateSigningKey } from '../../../../src/crypto/keys.ts';
import { toPem } from '../../../../src/crypto/pem.ts';
import { openCaDirectory } from '../../../../src/identity/ca-directory.ts';
import { nodeStorage, temporaryMaxAgeMs } from '../../../../src/identity/private-files.ts';
import { openTokenKeys } from '../../../../src/identity/tokens/key-directory.ts';
import { tokenJwksOf } from '../../../../src/identity/tokens/token-keys.ts';
import { at, expectIdentityError, failingDisk, now, privateDirectory } from '../support/storage.ts';
import { trustDomain } from './support.ts';

type Options = Parameters<typeof openTokenKeys>[0];

const names = ['jwt-svid-key.pem', 'workload-token-key.pem'];
const open = (dir: string, change: Partial<Options> = {}) => openTokenKeys({ dir, now, ...change });
/** Which keys they are. */
const publicHalves = ({ keys }: Awaited<ReturnType<typeof open>>): string =>
  JSON.stringify(tokenJwksOf(keys));

/** Everything in the set, with content and mode: what must not change. */
async function snapshot(dir: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir(join(dir, 'tokens'))) {
    const path = join(dir, 'tokens', name);
    found.push(`${name} ${((await stat(path)).mode & 0o777).toString(8)} ${await readFile(path, 'base64')}`);
  }
  return found.sort();
}

describe('the token keys', () => {
  test('are made once, one of each algorithm, in files for the owner alone', async () => {
    const dir = join(await privateDirectory(), 'ca');
    const first = await open(dir);
    expect([first.keys['ML-DSA'].algorithm, first.keys['JWT-SVID'].algorithm]).toEqual([
      'ML-DSA-65',
      'ECDSA-P256',
    ]);
    const second = await open(dir);
    expect([first.created, second.created]).toEqual([true, false]);
    expect(publicHalves(second)).toBe(publicHalves(first));
    expect((await stat(join(dir, 'tokens'))).mode & 0o777).toBe(0o700);
    expect((await readdir(join(dir, 'tokens'))).sort()).toEqual(names);
    for (const entry of await snapshot(dir)) expect(entry).toMatch(/^\S+ 600 /);
  });

  test('are added to a CA that has none, and leave its root alone', async () => {
    const dir = await privateDirectory();
    const root = await openCaDirectory({ dir, trustDomain, now });
    expect(await readdir(dir)).toEqual(['root']);
    expect((await open(dir)).created).toBe(true);
    const again = await openCaDirectory({ dir, trustDomain, now });
    expect(again.created).toBe(false);
    expect(again.ca.issuer.certificate.der).toEqual(root.ca.issuer.certificate.der);
    expect((await readdir(dir)).sort()).toEqual(['root', 'tokens']);
  });
});

describe('refuses what others could have read', () => {
  test('the set, or one of its files', async () => {
    const dir = await privateDirectory();
    await open(dir);
    for (const [path, mode, restored] of [
      [dir, 0o755, 0o700],
      [join(dir, 'tokens'), 0o750, 0o700],
      [join(dir, 'tokens/workload-token-key.pem'), 0o640, 0o600],
      [join(dir, 'tokens/jwt-svid-key.pem'), 0o604, 0o600],
    ] as const) {
      await chmod(path, mode);
      const error = await expectIdentityError('ERR_NOT_PRIVATE', open(dir));
      expect(error.message).toContain(path);
      await chmod(path, restored);
    }
    expect((await open(dir)).created).toBe(false);
  });

  test("another user's", async () => {
    const dir = await privateDirectory();
    await open(dir);
    const storage = { ...nodeStorage, uid: (nodeStorage.uid ?? 0) + 1 };
    await expectIdentityError('ERR_WRONG_OWNER', open(dir, { storage }));
  });
});

describe('makes no new keys over old ones', () => {
  test.each(names)('when %s is missing', async (name) => {
    const dir = await privateDirectory();
    await open(dir);
    await rm(join(dir, 'tokens', name));
    const before = await snapshot(dir);
    const error = await expectIdentityError('ERR_TOKEN_KEYS_INCOMPLETE', open(dir));
    expect(error.message).toMatch(new RegExp(`${name} is missing: .* move .*tokens away`));
    expect(await snapshot(dir)).toEqual(before);
  });

  test.each(names)('when %s is torn, empty, garbage or huge', async (name) => {
    const dir = await privateDirectory();
    await open(dir);
    const path = join(dir, 'tokens', name);
    const { size } = await stat(path);
    const [, secret = ''] = (await readFile(path, 'utf8')).split('\n');
    for (const damage of [
      () => truncate(path, Math.floor(size / 2)),
      () => truncate(path, 0),
      () => writeFile(path, Buffer.alloc(500, 0xff)),
      () => writeFile(path, Buffer.alloc(100_000, 0x41)),
    ]) {
      await damage();
      const before = await snapshot(dir);
      const error = await expectIdentityError('ERR_TOKEN_KEYS_CORRUPT', open(dir));
      expect(error.message).not.toContain(secret.slice(0, 16));
      expect(await snapshot(dir)).toEqual(before);
    }
  });

  test.each([
    ['workload-token-key.pem', 'ML-DSA-87'],
    ['workload-token-key.pem', 'ECDSA-P256'],
    ['jwt-svid-key.pem', 'ML-DSA-65'],
    ['jwt-svid-key.pem', 'ECDSA-P384'],
  ] as const)('when %s holds a key of %s', async (name, algorithm) => {
    const dir = await privateDirectory();
    await open(dir);
    const pem = toPem('PRIVATE KEY', exportPkcs8(generateSigningKey(algorithm)));
    await writeFile(join(dir, 'tokens', name), pem);
    const error = await expectIdentityError('ERR_TOKEN_KEYS_CORRUPT', open(dir));
    expect(error.message).toContain(`is for ${algorithm}, not`);
  });

  test('when the set is empty', async () => {
    const dir = await privateDirectory();
    await mkdir(join(dir, 'tokens'), { mode: 0o700 });
    await expectIdentityError('ERR_TOKEN_KEYS_INCOMPLETE', open(dir));
  });
});

describe('the first start', () => {
  test('on a disk that is full at any moment leaves nothing behind, and the next one succeeds', async () => {
    const complete = failingDisk(Number.POSITIVE_INFINITY);
    await open(join(await privateDirectory(), 'ca'), { storage: complete.storage });
    expect(complete.operations()).toBeGreaterThanOrEqual(9);
    for (let failing = 0; failing < complete.operations(); failing++) {
      const dir = join(await privateDirectory(), 'ca');
      await expectIdentityError('ERR_STORAGE_FULL', open(dir, { storage: failingDisk(failing).storage }));
      expect(await readdir(dir).catch(() => [])).toEqual([]);
      expect((await open(dir)).created).toBe(true);
    }
  });

  test('that is killed at any moment leaves no keys or all, and the next start finds its way', async () => {
    const counting = failingDisk(Number.POSITIVE_INFINITY);
    await open(join(await privateDirectory(), 'ca'), { storage: counting.storage });
    for (let failing = 0; failing < counting.operations(); failing++) {
      const dir = join(await privateDirectory(), 'ca');
      await expect(open(dir, { storage: failingDisk(failing, true).storage })).rejects.toThrow();
      const opened = await open(dir);
      expect(publicHalves(await open(dir))).toBe(publicHalves(opened));
      // What is left of the killed start goes away once it is surely abandoned.
      for (const name of (await readdir(dir)).filter((each) => each !== 'tokens'))
        await utimes(join(dir, name), now, now);
      await open(dir, { now: at(temporaryMaxAgeMs + 1) });
      expect(await readdir(dir)).toEqual(['tokens']);
    }
  });

  test('of many at once, in one process, makes one set', async () => {
    const dir = await privateDirectory();
    const opened = await Promise.all(Array.from({ length: 8 }, () => open(dir)));
    expect(opened.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(opened.map(publicHalves)).size).toBe(1);
    expect(await readdir(dir)).toEqual(['tokens']);
  });

  test('of several processes at once makes one set', async () => {
    const dir = await privateDirectory();
    const module = (name: string) =>
      JSON.stringify(new URL(`../../../../src/identity/tokens/${name}.ts`, import.meta.url).href);
    const program = `
      import { openTokenKeys } from ${module('key-directory')};
      import { tokenJwksOf } from ${module('token-keys')};
      const { keys, created } = await openTokenKeys({ dir: process.argv[1], now: new Date('${now.toISOString()}') });
      console.log(JSON.stringify({ created, jwks: tokenJwksOf(keys) }));
    `;
    const runs = await Promise.all(
      Array.from({ length: 4 }, () =>
        promisify(execFile)(process.execPath, ['--input-type=module', '-e', program, dir]),
      ),
    );
    const results = runs.map(({ stdout }) => JSON.parse(stdout) as { created: boolean; jwks: object });
    expect(results.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(results.map(({ jwks }) => JSON.stringify(jwks))).size).toBe(1);
  });
});
