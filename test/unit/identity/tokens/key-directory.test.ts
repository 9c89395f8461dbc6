// How the set comes into being and is kept private is in test/unit/identity/private-set.test.ts.

import { readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { exportPkcs8, generateSigningKey } from '../../../../src/crypto/keys.ts';
import { toPem } from '../../../../src/crypto/pem.ts';
import { openCaDirectory } from '../../../../src/identity/ca-directory.ts';
import { openTokenKeys } from '../../../../src/identity/tokens/key-directory.ts';
import { tokenJwksOf } from '../../../../src/identity/tokens/token-keys.ts';
import { expectIdentityError, now, privateDirectory } from '../support/storage.ts';
import { trustDomain } from './support.ts';

const names = ['jwt-svid-key.pem', 'workload-token-key.pem'];
const open = (dir: string) => openTokenKeys({ dir, now });
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
});
