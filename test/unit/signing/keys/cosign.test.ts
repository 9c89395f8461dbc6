// Key files in both directions, with stock cosign.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { generateSigningKey, spkiDer, verifyBytes } from '../../../../src/crypto/keys.ts';
import { decryptKeyFile, encryptKeyFile } from '../../../../src/signing/keys/key-file.ts';
import { openSigner } from '../../../../src/signing/keys/load.ts';
import {
  publicKeyFromPem,
  publicKeyFromSpki,
  publicKeyPem,
} from '../../../../src/signing/keys/public-key.ts';
import { temporaryDirectory } from '../../../support/control-plane.ts';
import { runCosign } from '../../../support/cosign.ts';
import { failure } from '../support.ts';

const password = 'correct horse';

async function cosign(cwd: string, args: readonly string[], given = password): Promise<string> {
  const { status, stdout, stderr } = await runCosign(args, { cwd, env: { COSIGN_PASSWORD: given } });
  expect([status, stderr]).toEqual([0, expect.anything()]);
  return stdout;
}

describe.each(['ECDSA-P256', 'ECDSA-P384'] as const)('our key file of %s', (algorithm) => {
  const key = generateSigningKey(algorithm);
  let directory: string;

  beforeAll(async () => {
    directory = await temporaryDirectory();
    await writeFile(join(directory, 'ci.key'), await encryptKeyFile(key, password, randomBytes));
    await writeFile(join(directory, 'ci.pub'), publicKeyPem(publicKeyFromSpki(spkiDer(key))));
    await writeFile(join(directory, 'blob'), 'what is signed');
  });

  test('is opened by cosign, which finds the same public key', async () => {
    const pem = await cosign(directory, ['public-key', '--key', 'ci.key']);
    expect(publicKeyFromPem(pem).spki).toEqual(spkiDer(key));
  });

  test('is opened by cosign with its password only', async () => {
    const env = { COSIGN_PASSWORD: 'another' };
    const { status, stderr } = await runCosign(['public-key', '--key', 'ci.key'], { cwd: directory, env });
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/decrypt/);
  });

  test('signs in cosign, and our public key verifies it there', async () => {
    await cosign(directory, ['signing-config', 'create', '--out', 'config.json']);
    const bundle = ['--bundle', 'bundle.json'];
    await cosign(directory, [
      'sign-blob',
      '--key=ci.key',
      '--signing-config=config.json',
      '--yes',
      ...bundle,
      'blob',
    ]);
    // cosign 3.1.3 signs with P-384 over SHA-384 and verifies over SHA-256: its own such signatures fail there too.
    if (algorithm === 'ECDSA-P256')
      await cosign(directory, ['verify-blob', '--key=ci.pub', '--insecure-ignore-tlog', ...bundle, 'blob']);
    const { messageSignature } = JSON.parse(await readFile(join(directory, 'bundle.json'), 'utf8'));
    const signature = Buffer.from(messageSignature.signature, 'base64');
    expect(verifyBytes(key.publicKey, Buffer.from('what is signed'), signature)).toBe(true);
  });
});

describe("cosign's key file", () => {
  test.each(['', password])('opens here, with the password %j', async (given) => {
    const directory = await temporaryDirectory();
    await cosign(directory, ['generate-key-pair', '--output-key-prefix', 'made'], given);
    const [path, pub] = [join(directory, 'made.key'), await readFile(join(directory, 'made.pub'), 'utf8')];
    const signer = await openSigner(path, { env: {}, password: async () => given });
    expect(signer.publicKey.spki).toEqual(publicKeyFromPem(pub).spki);
    expect(signer.publicKey.algorithm).toBe('ECDSA-P256');
    await failure(
      'ERR_KEY_FILE_PASSWORD',
      decryptKeyFile(await readFile(path, 'utf8'), 'another'),
      /password/,
    );
  });

  test.each([
    ['P-256', 'ECDSA-P256'],
    ['P-384', 'ECDSA-P384'],
  ])('of a %s key that cosign imported opens here', async (namedCurve, algorithm) => {
    const directory = await temporaryDirectory();
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
    const pkcs8 = privateKey.export({ format: 'pem', type: 'pkcs8' });
    await writeFile(join(directory, 'in.pem'), pkcs8, { mode: 0o600 });
    await cosign(directory, ['import-key-pair', '--key=in.pem', '--output-key-prefix=in']);
    const opened = await decryptKeyFile(await readFile(join(directory, 'in.key'), 'utf8'), password);
    expect(opened.algorithm).toBe(algorithm);
    expect(opened.publicKey.equals(publicKey)).toBe(true);
  });

  test('of an Ed25519 key is refused with what Trellis signs with', async () => {
    const directory = await temporaryDirectory();
    const pkcs8 = generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' });
    await writeFile(join(directory, 'in.pem'), pkcs8);
    await cosign(directory, ['import-key-pair', '--key=in.pem', '--output-key-prefix=in']);
    const path = join(directory, 'in.key');
    await chmod(path, 0o600);
    const opening = openSigner(path, { env: {}, password: async () => password });
    await failure('ERR_KEY_FILE_INVALID', opening, /ed25519.*Trellis signs with ML-DSA-65/);
  });
});
