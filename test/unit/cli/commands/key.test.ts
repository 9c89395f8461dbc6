import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { exportPkcs8, generateSigningKey, spkiDer } from '../../../../src/crypto/keys.ts';
import { fromPemOne, toPem } from '../../../../src/crypto/pem.ts';
import { openPublicKey, openSigner } from '../../../../src/signing/keys/load.ts';
import { temporaryDirectory } from '../../../support/control-plane.ts';
import { runCosign } from '../../../support/cosign.ts';
import { expectFailure, TrellisProcess, trellis } from './support.ts';

const password = 'correct horse';
let directory: string;

beforeEach(async () => {
  directory = await temporaryDirectory();
  vi.stubEnv('TRELLIS_PASSWORD', password);
  vi.stubEnv('COSIGN_PASSWORD', undefined);
});

afterEach(() => vi.unstubAllEnvs());

const at = (name: string) => join(directory, name);
const importKey = (file: string, ...argv: readonly string[]) =>
  trellis('key', 'import', file, '--out-prefix', at('in'), ...argv);
const exportKey = (file: string, out: string, ...argv: readonly string[]) =>
  trellis('key', 'export', file, '--out', out, ...argv);

async function writePrivate(name: string, content: string): Promise<string> {
  await writeFile(at(name), content, { mode: 0o600 });
  return at(name);
}

describe.each([
  ['ML-DSA-65', 'mldsa65'],
  ['ML-DSA-87', 'mldsa87'],
  ['ECDSA-P256', 'p256'],
  ['ECDSA-P384', 'p384'],
] as const)('%s', (algorithm, slug) => {
  const key = generateSigningKey(algorithm);
  const pem = toPem('PRIVATE KEY', exportPkcs8(key));

  test('comes in and goes out', async () => {
    const outcome = await importKey(await writePrivate('other.pem', pem));
    expect(outcome).toMatchObject({ exitCode: 0, stderr: '' });
    const signer = await openSigner(at(`in.${slug}.key`), { env: {}, password: async () => password });
    expect(signer.publicKey.spki).toEqual(spkiDer(key));
    expect((await openPublicKey(at(`in.${slug}.pub`), { env: {} })).spki).toEqual(spkiDer(key));

    const out = await exportKey(at(`in.${slug}.key`), at('out.pem'));
    expect(out).toMatchObject({ exitCode: 0, stdout: '' });
    expect(out.stderr).toMatch(/holds the private key without a password/);
    expect(await readFile(at('out.pem'), 'utf8')).toBe(pem);
    expect((await stat(at('out.pem'))).mode & 0o777).toBe(0o600);
    expect(createPrivateKey(pem).equals(key.privateKey)).toBe(true);
  });
});

describe('import', () => {
  test("takes cosign's key file, with the password that it has", async () => {
    const env = { COSIGN_PASSWORD: password };
    await runCosign(['generate-key-pair', '--output-key-prefix', 'made'], { cwd: directory, env });
    expect(await importKey(at('made.key'))).toMatchObject({ exitCode: 0 });
    expect(await readFile(at('in.p256.pub'), 'utf8')).toBe(await readFile(at('made.pub'), 'utf8'));
    vi.stubEnv('TRELLIS_PASSWORD', 'another');
    expectFailure(
      await trellis('key', 'import', at('made.key'), '--out-prefix', at('x')),
      2,
      /password does not open this key file/,
    );
  });

  test('reads the key from standard input, and prints JSON', async () => {
    const key = generateSigningKey('ECDSA-P256');
    const pem = toPem('PRIVATE KEY', exportPkcs8(key));
    const argv = ['key', 'import', '-', '--out-prefix', at('in'), '--json'];
    const { exitCode, stdout } = await new TrellisProcess(argv, pem).ended;
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout).keys[0]).toMatchObject({
      algorithm: 'ECDSA-P256',
      privateKey: at('in.p256.key'),
      publicKey: at('in.p256.pub'),
    });
  });

  test('refuses a private key that others can read', async () => {
    const file = await writePrivate(
      'open.pem',
      toPem('PRIVATE KEY', exportPkcs8(generateSigningKey('ML-DSA-65'))),
    );
    await chmod(file, 0o644);
    expectFailure(
      await importKey(file),
      2,
      /the private key .*open\.pem is open to others \(mode 644\)/,
      /chmod 600/,
    );
    expect(await readdir(directory)).toEqual(['open.pem']);
  });

  test('overwrites nothing', async () => {
    const file = await writePrivate(
      'a.pem',
      toPem('PRIVATE KEY', exportPkcs8(generateSigningKey('ML-DSA-65'))),
    );
    await writeFile(at('in.mldsa65.pub'), 'what was there');
    expectFailure(await importKey(file), 2, /never overwritten/);
    expect((await readdir(directory)).sort()).toEqual(['a.pem', 'in.mldsa65.pub']);
  });

  test('refuses what Trellis does not sign with, and two things on standard input', async () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    const file = await writePrivate('rsa.pem', rsa.export({ format: 'pem', type: 'pkcs8' }).toString());
    expectFailure(await importKey(file), 2, /rsa/i);
    expectFailure(await importKey('-', '--password-file', '-'), 2, /not both/);
  });
});

describe('export', () => {
  let file: string;

  beforeEach(async () => {
    const pem = toPem('PRIVATE KEY', exportPkcs8(generateSigningKey('ML-DSA-65')));
    await importKey(await writePrivate('other.pem', pem));
    file = at('in.mldsa65.key');
  });

  test('goes to standard output only when asked', async () => {
    const { exitCode, stdout } = await exportKey(file, '-');
    expect(exitCode).toBe(0);
    expect(fromPemOne(stdout, 'PRIVATE KEY').length).toBe(54);
    expectFailure(await trellis('key', 'export', file), 2, /required option '--out <file>'/);
  });

  test('writes the public key instead', async () => {
    expect(await exportKey(file, at('out.pub'), '--public')).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await readFile(at('out.pub'), 'utf8')).toBe(await readFile(at('in.mldsa65.pub'), 'utf8'));
  });

  test('overwrites nothing', async () => {
    await writeFile(at('out.pem'), 'what was there');
    expectFailure(await exportKey(file, at('out.pem')), 2, /never overwritten/);
    expect(await readFile(at('out.pem'), 'utf8')).toBe('what was there');
  });

  test('refuses a wrong password, and a key file that others can read', async () => {
    vi.stubEnv('TRELLIS_PASSWORD', 'another');
    expectFailure(await exportKey(file, at('out.pem')), 2, /password does not open/);
    await chmod(file, 0o640);
    expectFailure(await exportKey(file, at('out.pem')), 2, /open to others \(mode 640\)/);
  });

  test('of a key in a service does not exist', async () => {
    expectFailure(
      await exportKey('awskms:///alias/ci', '-'),
      2,
      /never leaves it/,
      /trellis keygen --kms awskms:\/\/\/alias\/ci writes its public key/,
    );
  });
});
