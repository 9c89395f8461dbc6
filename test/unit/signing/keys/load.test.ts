import { randomBytes } from 'node:crypto';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { generateSigningKey, spkiDer, verifyBytes } from '../../../../src/crypto/keys.ts';
import { encryptKeyFile } from '../../../../src/signing/keys/key-file.ts';
import { openPublicKey, openSigner } from '../../../../src/signing/keys/load.ts';
import { publicKeyFromSpki, publicKeyPem } from '../../../../src/signing/keys/public-key.ts';
import { temporaryDirectory } from '../../../support/control-plane.ts';
import { failure } from '../support.ts';

const key = generateSigningKey('ML-DSA-65');
const pub = publicKeyPem(publicKeyFromSpki(spkiDer(key)));
const data = Buffer.from('data');
const password = vi.fn(async () => 'pw');

let sealed: string;
let path: string;

beforeAll(async () => {
  sealed = await encryptKeyFile(key, 'pw', randomBytes);
  path = join(await temporaryDirectory(), 'ci.key');
  await writeFile(path, sealed, { mode: 0o600 });
  await writeFile(`${path}.pub`, pub);
});

describe('a signer', () => {
  test('of a file', async () => {
    const signer = await openSigner(path, { env: {}, password });
    expect(verifyBytes(key.publicKey, data, await signer.sign(data))).toBe(true);
  });

  test('of an environment variable', async () => {
    const signer = await openSigner('env://KEY', { env: { KEY: sealed }, password });
    expect(signer.publicKey.spki).toEqual(spkiDer(key));
    for (const env of [{}, { KEY: '' }]) {
      const opening = openSigner('env://KEY', { env, password });
      await failure('ERR_KEY_FILE_INVALID', opening, /no key in the environment variable KEY/);
    }
  });

  test('is no public key, and it is said which file to give', async () => {
    const opening = openSigner(`${path}.pub`, { env: {}, password });
    await failure('ERR_KEY_FILE_INVALID', opening, /is a public key: give the \.key file/);
    await chmod(path, 0o644);
    await failure('ERR_KEY_FILE_NOT_PRIVATE', openSigner(path, { env: {}, password }), /chmod 600/);
    await chmod(path, 0o600);
  });

  test('of a file that is not there', async () => {
    await expect(openSigner(`${path}x`, { env: {}, password })).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('in a service is opened without a password', async () => {
    password.mockClear();
    const opening = openSigner('awskms:///nonsense', { env: {}, password });
    await failure('ERR_KMS_URI_INVALID', opening, /awskms/);
    await failure('ERR_KMS_URI_INVALID', openSigner('azurekms://x/y', { env: {}, password }), /azurekms/);
    expect(password).not.toHaveBeenCalled();
  });
});

describe('a public key', () => {
  test('of a file and of an environment variable', async () => {
    expect((await openPublicKey(`${path}.pub`, { env: {} })).spki).toEqual(spkiDer(key));
    expect((await openPublicKey('env://PUB', { env: { PUB: pub } })).spki).toEqual(spkiDer(key));
    await failure('ERR_PUBLIC_KEY_INVALID', openPublicKey('env://PUB', { env: {} }), /variable PUB/);
  });

  test('is not a private one', async () => {
    await failure('ERR_PUBLIC_KEY_INVALID', openPublicKey(path, { env: {} }), /the \.pub file/);
  });
});
