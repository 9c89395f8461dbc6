import { generateKeyPairSync, randomBytes, scrypt } from 'node:crypto';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import type { IssuingAlgorithm } from '../../../../src/crypto/algorithms.ts';
import { exportPkcs8, generateSigningKey, type SigningKey, spkiDer } from '../../../../src/crypto/keys.ts';
import { fromPemOne, toPem } from '../../../../src/crypto/pem.ts';
import { decryptKeyFile, encryptKeyFile, isKeyFile } from '../../../../src/signing/keys/key-file.ts';
import { failure } from '../support.ts';

vi.mock('node:crypto', async (original) => {
  const actual = await original<typeof import('node:crypto')>();
  return { ...actual, scrypt: vi.fn(actual.scrypt) };
});

const label = 'ENCRYPTED SIGSTORE PRIVATE KEY';
const password = 'correct horse';

let key: SigningKey;
let file: string;

beforeAll(async () => {
  key = generateSigningKey('ECDSA-P256');
  file = await encryptKeyFile(key, password, randomBytes);
});

type Document = Record<string, Record<string, unknown>>;

/** The file with its JSON changed. */
function withJson(change: (document: Document) => void): string {
  const document = JSON.parse(fromPemOne(file, label).toString()) as Document;
  change(document);
  return toPem(label, Buffer.from(JSON.stringify(document)));
}

function withText(change: (text: string) => string): string {
  return toPem(label, Buffer.from(change(fromPemOne(file, label).toString())));
}

describe('a key file', () => {
  test.each<IssuingAlgorithm>(['ML-DSA-65', 'ML-DSA-87', 'ECDSA-P256', 'ECDSA-P384'])(
    'of %s opens with its password and with no other',
    async (algorithm) => {
      const made = generateSigningKey(algorithm);
      const pem = await encryptKeyFile(made, password, randomBytes);
      const opened = await decryptKeyFile(pem, password);
      expect(opened.algorithm).toBe(algorithm);
      expect(spkiDer(opened)).toEqual(spkiDer(made));
      for (const other of ['', 'correct hors', 'correct horse '])
        await failure('ERR_KEY_FILE_PASSWORD', decryptKeyFile(pem, other), /give the password/);
    },
  );

  test("is in cosign's format, and shows nothing of the key", () => {
    expect(file.startsWith(`-----BEGIN ${label}-----\n`)).toBe(true);
    const json = fromPemOne(file, label).toString();
    expect(JSON.parse(json)).toEqual({
      kdf: {
        name: 'scrypt',
        params: { N: 65536, r: 8, p: 1 },
        salt: expect.stringMatching(/^[A-Za-z0-9+/]{43}=$/),
      },
      cipher: { name: 'nacl/secretbox', nonce: expect.stringMatching(/^[A-Za-z0-9+/]{32}$/) },
      ciphertext: expect.any(String),
    });
    const sealed = Buffer.from(JSON.parse(json).ciphertext, 'base64');
    const secret = Buffer.from(key.privateKey.export({ format: 'jwk' }).d ?? '', 'base64url');
    expect(sealed.indexOf(secret)).toBe(-1);
    expect(sealed.length).toBe(exportPkcs8(key).length + 16);
  });

  test('has a salt and a nonce of its own each time', async () => {
    const again = await encryptKeyFile(key, password, randomBytes);
    const [one, two] = [file, again].map((pem) => JSON.parse(fromPemOne(pem, label).toString()) as Document);
    expect(one?.['kdf']?.['salt']).not.toEqual(two?.['kdf']?.['salt']);
    expect(one?.['cipher']?.['nonce']).not.toEqual(two?.['cipher']?.['nonce']);
  });

  test('may have an empty password, a long one, and one that is not ASCII', async () => {
    for (const each of ['', 'x'.repeat(4096), 'Grüße 🔑']) {
      const pem = await encryptKeyFile(key, each, randomBytes);
      expect(spkiDer(await decryptKeyFile(pem, each))).toEqual(spkiDer(key));
    }
  });

  test.each([32_768, 131_072])(
    "opens with the scrypt cost %i, which cosign's library also wrote",
    async (cost) => {
      const { secretbox } = await import('@noble/ciphers/salsa.js');
      const [salt, nonce] = [randomBytes(32), randomBytes(24)];
      const boxKey = await new Promise<Buffer>((resolve, reject) => {
        const options = { cost, blockSize: 8, parallelization: 1, maxmem: 200_000_000 };
        scrypt(password, salt, 32, options, (error, derived) => (error ? reject(error) : resolve(derived)));
      });
      const sealed = secretbox(boxKey, nonce).seal(exportPkcs8(key));
      const pem = withJson((document) => {
        document['kdf'] = { name: 'scrypt', params: { N: cost, r: 8, p: 1 }, salt: salt.toString('base64') };
        document['cipher'] = { name: 'nacl/secretbox', nonce: nonce.toString('base64') };
        Object.assign(document, { ciphertext: Buffer.from(sealed).toString('base64') });
      });
      expect(spkiDer(await decryptKeyFile(pem, password))).toEqual(spkiDer(key));
    },
  );

  test("may have cosign's older label, and text around it", async () => {
    const old = file.replaceAll(label, 'ENCRYPTED COSIGN PRIVATE KEY');
    expect(isKeyFile(old)).toBe(true);
    expect(spkiDer(await decryptKeyFile(`# of the CI\n${old}\n`, password))).toEqual(spkiDer(key));
  });
});

describe('is refused without any work', () => {
  const set = (path: string, value: unknown) => () =>
    withJson((document) => {
      const names = path.split('.');
      const last = names.pop() ?? '';
      const holder = names.reduce((inner, name) => inner[name] as Document, document as Document);
      (holder as Record<string, unknown>)[last] = value;
    });

  test.each<readonly [string, () => string, RegExp]>([
    ['a scrypt cost of gigabytes', set('kdf.params.N', 2 ** 30), /any amount of memory/],
    ['a scrypt cost of nothing', set('kdf.params.N', 2), /other scrypt parameters/],
    ['a cost that is text', set('kdf.params.N', '65536'), /other scrypt parameters/],
    ['a larger block size', set('kdf.params.r', 1024), /other scrypt parameters/],
    ['more lanes', set('kdf.params.p', 1000), /other scrypt parameters/],
    ['another key derivation', set('kdf.name', 'pbkdf2'), /not encrypted with scrypt/],
    ['another cipher', set('cipher.name', 'aes'), /not encrypted with scrypt and nacl\/secretbox/],
    ['a short salt', set('kdf.salt', Buffer.alloc(16).toString('base64')), /kdf\.salt has 16 bytes, not 32/],
    ['a short nonce', set('cipher.nonce', Buffer.alloc(8).toString('base64')), /cipher\.nonce has 8 bytes/],
    ['no ciphertext', set('ciphertext', ''), /ciphertext has 0 bytes/],
    ['nothing but a tag', set('ciphertext', Buffer.alloc(16).toString('base64')), /ciphertext has 16 bytes/],
    [
      'a ciphertext longer than any key',
      set('ciphertext', Buffer.alloc(8209).toString('base64')),
      /ciphertext has 8209 bytes/,
    ],
    [
      'base64 that is not canonical',
      set('kdf.salt', `${'A'.repeat(42)}B=`),
      /kdf\.salt is not canonical base64/,
    ],
    ['base64url', set('ciphertext', '__-_'.repeat(50)), /ciphertext is not canonical base64/],
    ['a number for text', set('ciphertext', 1), /ciphertext is not text/],
    ['null for an object', set('kdf', null), /kdf does not have exactly the members/],
    ['an array for an object', set('cipher', []), /cipher does not have exactly the members/],
    ['a member that is not known', set('kdf.params.x', 1), /kdf\.params does not have exactly/],
    ['another member that is not known', set('version', 2), /the document does not have exactly/],
    [
      'a member twice',
      () => withText((text) => text.replace('"N":65536', '"N":2,"N":65536')),
      /the member "N" twice/,
    ],
    ['something after the document', () => withText((text) => `${text}{}`), /not a JSON document/],
    ['no document', () => toPem(label, Buffer.from('x')), /not a JSON document/],
    ['a document that is too long', () => withText((text) => text + ' '.repeat(40_000)), /./],
    ['two keys', () => file + file, /found 2/],
    ['a file that is cut off', () => file.slice(0, -20), /not the expected PEM/],
    ['a file of any length', () => file + '\n'.repeat(70_000), /longer than 65536/],
    ['a public key', () => toPem('PUBLIC KEY', spkiDer(key)), /give the \.key file/],
    ['a private key without a password', () => toPem('PRIVATE KEY', exportPkcs8(key)), /trellis key import/],
    ['the older form of that', () => toPem('EC PRIVATE KEY', exportPkcs8(key)), /trellis key import/],
    ['encrypted PKCS#8', () => toPem('ENCRYPTED PRIVATE KEY', Buffer.from('x')), /openssl pkey/],
    ['nothing', () => '', /holds no "ENCRYPTED SIGSTORE PRIVATE KEY" block/],
  ])('%s', async (_, make, reason) => {
    const pem = make();
    vi.mocked(scrypt).mockClear();
    await failure('ERR_KEY_FILE_INVALID', decryptKeyFile(pem, password), reason);
    expect(scrypt).not.toHaveBeenCalled();
  });
});

test('a ciphertext with a bit flipped is not opened', async () => {
  const pem = withJson((document) => {
    const sealed = Buffer.from(String(document['ciphertext']), 'base64');
    sealed[sealed.length - 1] = (sealed.at(-1) ?? 0) ^ 1;
    Object.assign(document, { ciphertext: sealed.toString('base64') });
  });
  await failure('ERR_KEY_FILE_PASSWORD', decryptKeyFile(pem, password), /or the file was changed/);
});

test('a key of an algorithm that Trellis does not sign with is named as such', async () => {
  const { secretbox } = await import('@noble/ciphers/salsa.js');
  const ed25519 = generateKeyPairSync('ed25519').privateKey.export({ format: 'der', type: 'pkcs8' });
  const document = JSON.parse(fromPemOne(file, label).toString());
  const boxKey = await new Promise<Buffer>((resolve, reject) => {
    const options = { cost: 65_536, blockSize: 8, parallelization: 1, maxmem: 200_000_000 };
    const salt = Buffer.from(document.kdf.salt, 'base64');
    scrypt(password, salt, 32, options, (error, derived) => (error ? reject(error) : resolve(derived)));
  });
  const sealed = secretbox(boxKey, Buffer.from(document.cipher.nonce, 'base64')).seal(ed25519);
  const pem = withJson((each) => Object.assign(each, { ciphertext: Buffer.from(sealed).toString('base64') }));
  await failure(
    'ERR_KEY_FILE_INVALID',
    decryptKeyFile(pem, password),
    /the password is right, but .*ed25519.*Trellis signs with ML-DSA-65, ML-DSA-87, ECDSA-P256, ECDSA-P384/,
  );
});
