import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openPublicKey, openSigner } from '../../../../src/signing/keys/load.ts';
import { temporaryDirectory } from '../../../support/control-plane.ts';
import { runCosign } from '../../../support/cosign.ts';
import {
  keyRing,
  startFakeAwsKms,
  startFakeGoogleKms,
  writeGoogleCredentials,
} from '../../../support/kms.ts';
import { expectFailure, TrellisProcess, trellis } from './support.ts';

let directory: string;
let prefix: string;

beforeEach(async () => {
  directory = await temporaryDirectory();
  prefix = join(directory, 'ci');
  vi.stubEnv('TRELLIS_PASSWORD', 'correct horse');
  vi.stubEnv('COSIGN_PASSWORD', undefined);
});

afterEach(() => vi.unstubAllEnvs());

const keygen = (...argv: readonly string[]) => trellis('keygen', '--out-prefix', prefix, ...argv);

async function files(): Promise<string[]> {
  return (await readdir(directory)).sort();
}

describe('makes', () => {
  test('an ML-DSA key and an ECDSA key, whose files belong together', async () => {
    const { exitCode, stdout, stderr } = await keygen();
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(await files()).toEqual(['ci.mldsa65.key', 'ci.mldsa65.pub', 'ci.p256.key', 'ci.p256.pub']);
    for (const [slug, algorithm] of [
      ['mldsa65', 'ML-DSA-65'],
      ['p256', 'ECDSA-P256'],
    ]) {
      const path = `${prefix}.${slug}`;
      expect((await stat(`${path}.key`)).mode & 0o777).toBe(0o600);
      const signer = await openSigner(`${path}.key`, { env: {}, password: async () => 'correct horse' });
      const publicKey = await openPublicKey(`${path}.pub`, { env: {} });
      expect(signer.publicKey.spki).toEqual(publicKey.spki);
      expect(publicKey.algorithm).toBe(algorithm);
      expect(stdout).toContain(`${path}.key  private key of ${algorithm}, encrypted\n`);
      expect(stdout).toContain(`${path}.pub  public key of ${algorithm}, SHA-256 ${publicKey.spkiSha256}\n`);
    }
  });

  test('keys that are new each time', async () => {
    await keygen();
    await trellis('keygen', '--out-prefix', join(directory, 'other'));
    for (const file of ['mldsa65.pub', 'p256.pub']) {
      const both = ['ci', 'other'].map((name) => readFile(join(directory, `${name}.${file}`), 'utf8'));
      const [one, two] = await Promise.all(both);
      expect(one).not.toBe(two);
    }
  });

  test('an ECDSA key that stock cosign opens', async () => {
    await keygen('--algorithm', 'ECDSA-P256');
    const key = `${prefix}.p256.key`;
    const { stdout } = await runCosign(['public-key', '--key', key], {
      env: { COSIGN_PASSWORD: 'correct horse' },
    });
    expect(stdout.trim()).toBe((await readFile(`${prefix}.p256.pub`, 'utf8')).trim());
  });

  test('the algorithms that are asked for', async () => {
    const { stdout } = await keygen('--algorithm', 'ML-DSA-87', '--algorithm', 'ECDSA-P384', '--json');
    expect(await files()).toEqual(['ci.mldsa87.key', 'ci.mldsa87.pub', 'ci.p384.key', 'ci.p384.pub']);
    const hash = expect.stringMatching(/^[0-9a-f]{64}$/);
    expect(JSON.parse(stdout)).toEqual({
      keys: [
        {
          algorithm: 'ML-DSA-87',
          spkiSha256: hash,
          privateKey: `${prefix}.mldsa87.key`,
          publicKey: `${prefix}.mldsa87.pub`,
        },
        {
          algorithm: 'ECDSA-P384',
          spkiSha256: hash,
          privateKey: `${prefix}.p384.key`,
          publicKey: `${prefix}.p384.pub`,
        },
      ],
    });
  });

  test('a key under an empty password only with a warning', async () => {
    vi.stubEnv('TRELLIS_PASSWORD', '');
    const { exitCode, stderr } = await keygen('--algorithm', 'ECDSA-P256');
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(/warning: the password is empty/);
  });
});

describe('refuses', () => {
  test.each(['ci.mldsa65.key', 'ci.p256.pub'])('to overwrite %s, and writes nothing', async (name) => {
    await writeFile(join(directory, name), 'what was there');
    expectFailure(await keygen(), 2, /is there already and is never overwritten/);
    expect(await files()).toEqual([name]);
    expect(await readFile(join(directory, name), 'utf8')).toBe('what was there');
  });

  test.each([
    ['Dilithium3', /use ML-DSA-65/],
    ['RSA', /use ECDSA-P256/],
    ['ML-DSA-44', /ML-DSA-44 is for verifying only/],
  ])('%s', async (name, reason) => {
    expectFailure(await keygen('--algorithm', name), 2, reason);
    expect(await files()).toEqual([]);
  });

  test('an algorithm twice', async () => {
    expectFailure(await keygen('--algorithm', 'ML-DSA-65', '--algorithm', 'ML-DSA-65'), 2, /given twice/);
  });

  test('a missing password where nobody can be asked', async () => {
    vi.stubEnv('TRELLIS_PASSWORD', undefined);
    expectFailure(await keygen(), 2, /no terminal to ask/, /set TRELLIS_PASSWORD, or give --password-file/);
    expect(await files()).toEqual([]);
  });
});

describe('in a key management service', () => {
  const uri = 'awskms:///alias/ci';

  beforeEach(async () => {
    const fake = await startFakeAwsKms();
    vi.stubEnv('AWS_ENDPOINT_URL_KMS', fake.url);
    vi.stubEnv('AWS_REGION', 'eu-central-1');
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'a secret of the test');
    vi.stubEnv('TRELLIS_PASSWORD', undefined);
  });

  test('makes a key and writes its public half alone; the same again finds it', async () => {
    const made = await keygen('--kms', uri);
    expect(made).toMatchObject({ exitCode: 0, stderr: '' });
    expect(made.stdout).toMatch(
      /^created arn:aws:kms:.*\n.*ci\.mldsa65\.pub {2}public key of ML-DSA-65, SHA-256 /,
    );
    expect(await files()).toEqual(['ci.mldsa65.pub']);
    const again = await keygen('--kms', uri, '--json');
    const publicKey = await openPublicKey(`${prefix}.mldsa65.pub`, { env: {} });
    expect(JSON.parse(again.stdout)).toEqual({
      keys: [
        {
          algorithm: 'ML-DSA-65',
          spkiSha256: publicKey.spkiSha256,
          kms: uri,
          name: expect.stringContaining('arn:aws:kms:'),
          created: false,
          publicKey: `${prefix}.mldsa65.pub`,
        },
      ],
    });
    expect((await openPublicKey(uri, { env: {} })).spki).toEqual(publicKey.spki);
  });

  test('overwrites no other public key', async () => {
    await writeFile(`${prefix}.p256.pub`, 'what was there');
    expectFailure(await keygen('--kms', uri, '--algorithm', 'ECDSA-P256'), 2, /never overwritten/);
    expect(await readFile(`${prefix}.p256.pub`, 'utf8')).toBe('what was there');
  });

  test('refuses a password, several algorithms, and what is no name of a key', async () => {
    const file = join(directory, 'password');
    await writeFile(file, 'x', { mode: 0o600 });
    expectFailure(await keygen('--kms', uri, '--password-file', file), 2, /has no password/);
    const two = ['--algorithm', 'ML-DSA-65', '--algorithm', 'ECDSA-P256'];
    expectFailure(await keygen('--kms', uri, ...two), 2, /is one key/);
    expectFailure(await keygen('--kms', 'azurekms://a/b'), 2, /awskms:\/\//);
  });

  test('ends by itself, whatever connections an SDK keeps', async () => {
    const google = await startFakeGoogleKms();
    const credentials = join(directory, 'service-account.json');
    await writeGoogleCredentials(credentials);
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', credentials);
    vi.stubEnv('CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS', google.url);
    for (const [name, key] of [
      [uri, 'aws'],
      [`gcpkms://${keyRing}/cryptoKeys/ci`, 'google'],
    ] as const) {
      const argv = [
        'keygen',
        '--kms',
        name,
        '--algorithm',
        'ECDSA-P256',
        '--out-prefix',
        join(directory, key),
      ];
      const outcome = await new TrellisProcess(argv).ended;
      expect(outcome).toMatchObject({ exitCode: 0, stderr: '' });
      expect((await openPublicKey(join(directory, `${key}.p256.pub`), { env: {} })).algorithm).toBe(
        'ECDSA-P256',
      );
    }
  });

  test('says that it cannot be reached', async () => {
    vi.stubEnv('AWS_ENDPOINT_URL_KMS', 'http://127.0.0.1:1');
    expectFailure(await keygen('--kms', uri), 3, /ECONNREFUSED.*try again/);
  });
});
