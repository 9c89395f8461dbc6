// Key files, public keys and names of keys in services: read in one way or refused, and nothing else is ever thrown.

import { scrypt } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { exportPkcs8, generateSigningKey, spkiDer } from '../../src/crypto/keys.ts';
import { fromPemOne, toPem } from '../../src/crypto/pem.ts';
import { SigningError } from '../../src/signing/errors.ts';
import { exportPrivateKeyPem, importPrivateKey } from '../../src/signing/keys/import.ts';
import { decryptKeyFile, encryptKeyFile } from '../../src/signing/keys/key-file.ts';
import { publicKeyFromPem, publicKeyFromSpki, publicKeyPem } from '../../src/signing/keys/public-key.ts';
import { encodeSealedKey, parseSealedKey } from '../../src/signing/keys/sealed-key.ts';
import { parseKmsUri } from '../../src/signing/kms/uri.ts';
import { fuzzRuns } from '../support/fuzz.ts';
import { mutatedDer } from './support/der-mutations.ts';
import { mutatedBytes, mutatedText } from './support/mutations.ts';

// A hundred milliseconds and 64 MiB each: the properties are about everything else.
vi.mock('node:crypto', async (original) => {
  const actual = await original<typeof import('node:crypto')>();
  const cheap = (...[password, salt, length, options, callback]: Parameters<typeof actual.scrypt>) =>
    actual.scrypt(password, salt, length, { ...options, cost: 2 }, callback);
  return { ...actual, scrypt: vi.fn(cheap) };
});

const label = 'ENCRYPTED SIGSTORE PRIVATE KEY';
const password = 'pw';
const keys = (['ML-DSA-65', 'ML-DSA-87', 'ECDSA-P256', 'ECDSA-P384'] as const).map(generateSigningKey);
const pems = keys.map((key) => publicKeyPem(publicKeyFromSpki(spkiDer(key))));
const privatePems = keys.map(exportPrivateKeyPem);
let keyFiles: string[];

beforeAll(async () => {
  keyFiles = await Promise.all(keys.map((key) => encryptKeyFile(key, password, (n) => Buffer.alloc(n, 7))));
});

/** Undefined when it was refused, which is the only other thing that may happen. */
async function attempt<T>(read: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    expect(error).toBeInstanceOf(SigningError);
    return undefined;
  }
}

const pemPieces = [
  '-----BEGIN ',
  '-----END ',
  'PUBLIC KEY',
  'PRIVATE KEY',
  '-----',
  '\n',
  '\r\n',
  '=',
  'AAAA',
  ' ',
];
const jsonPieces = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ',',
  ':',
  '"N":',
  '65536',
  '1e9',
  'null',
  '-1',
  '"kdf"',
  '\\u0000',
];
const anyText = fc.string({ unit: 'binary', maxLength: 300 });

describe('public keys', () => {
  const spkis = fc.constantFrom(...keys.map(spkiDer));

  test('in DER have one encoding each', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.uint8Array({ maxLength: 200 }), mutatedBytes(spkis), mutatedDer(spkis)),
        async (bytes) => {
          const key = await attempt(() => publicKeyFromSpki(bytes));
          if (key === undefined) return;
          expect(key.spki).toEqual(Buffer.from(bytes));
          expect(key.key.export({ format: 'der', type: 'spki' })).toEqual(key.spki);
        },
      ),
      { numRuns: fuzzRuns(300) },
    );
  });

  test('in PEM are read as what they are written as', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(anyText, mutatedText(fc.constantFrom(...pems, ...privatePems), pemPieces)),
        async (text) => {
          const key = await attempt(() => publicKeyFromPem(text));
          if (key === undefined) return;
          expect(publicKeyFromPem(publicKeyPem(key)).spki).toEqual(key.spki);
          expect(fromPemOne(text, 'PUBLIC KEY')).toEqual(key.spki);
        },
      ),
      { numRuns: fuzzRuns(300) },
    );
  });
});

describe('key files', () => {
  test('open as the key that was put in, under any password', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...keys),
        fc.string({ unit: 'binary', maxLength: 40 }),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        async (key, secret, random) => {
          const pem = await encryptKeyFile(key, secret, (length) => random.subarray(0, length));
          expect(spkiDer(await decryptKeyFile(pem, secret))).toEqual(spkiDer(key));
          expect(await attempt(() => decryptKeyFile(pem, `${secret}x`))).toBeUndefined();
        },
      ),
      { numRuns: fuzzRuns(100) },
    );
  });

  /** The JSON inside, changed, and the whole text, changed. */
  const changed = fc.nat({ max: keys.length - 1 }).chain((index) => {
    const file = fc.constant(0).map(() => keyFiles[index] ?? '');
    const json = file.map((text) => fromPemOne(text, label).toString());
    return fc.oneof(
      mutatedText(json, jsonPieces).map((text) => (text === '' ? '' : toPem(label, Buffer.from(text)))),
      mutatedText(file, [...pemPieces, label]),
    );
  });

  test('after any change are refused, or are still the same key', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(anyText, changed), async (text) => {
        const opened = await attempt(() => decryptKeyFile(text, password));
        if (opened === undefined) return;
        expect(keys.some((key) => spkiDer(key).equals(spkiDer(opened)))).toBe(true);
      }),
      { numRuns: fuzzRuns(500) },
    );
  });

  test('never ask for more work than cosign ever did', async () => {
    await fc.assert(
      fc.asyncProperty(changed, async (text) => {
        vi.mocked(scrypt).mockClear();
        await attempt(() => decryptKeyFile(text, password));
        for (const [, , , options] of vi.mocked(scrypt).mock.calls) {
          expect([32_768, 65_536, 131_072]).toContain(options.cost);
          expect(options).toMatchObject({ blockSize: 8, parallelization: 1 });
        }
      }),
      { numRuns: fuzzRuns(300) },
    );
  });

  test('have one document for what they say', async () => {
    const json = fc.constant(0).map(() => fromPemOne(keyFiles[0] ?? '', label).toString());
    await fc.assert(
      fc.asyncProperty(mutatedText(json, jsonPieces), async (text) => {
        const sealed = await attempt(() => parseSealedKey(Buffer.from(text)));
        if (sealed === undefined) return;
        expect(JSON.parse(encodeSealedKey(sealed).toString())).toEqual(JSON.parse(text));
      }),
      { numRuns: fuzzRuns(500) },
    );
  });
});

describe('private keys of other tools', () => {
  test('are refused, or sign for their public half and go out as they came in', async () => {
    const der = fc.constantFrom(...keys.map(exportPkcs8));
    const text = fc.oneof(
      anyText,
      mutatedText(fc.constantFrom(...privatePems), pemPieces),
      fc.oneof(mutatedBytes(der), mutatedDer(der)).map((bytes) => toPem('PRIVATE KEY', bytes)),
      fc.oneof(mutatedBytes(der), mutatedDer(der)).map((bytes) => toPem('EC PRIVATE KEY', bytes)),
    );
    await fc.assert(
      fc.asyncProperty(text, async (pem) => {
        const key = await attempt(() => importPrivateKey(pem, async () => password));
        if (key === undefined) return;
        const again = await importPrivateKey(exportPrivateKeyPem(key), async () => password);
        expect(spkiDer(again)).toEqual(spkiDer(key));
      }),
      { numRuns: fuzzRuns(300) },
    );
  });
});

test('names of keys in services say one thing each', async () => {
  const uris = fc.constantFrom(
    'awskms:///alias/ci',
    'awskms://localhost:4566/1234abcd-12ab-34cd-56ef-1234567890ab',
    'awskms:///arn:aws:kms:us-east-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab',
    'gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/k',
    'gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/k/versions/1',
  );
  const pieces = [
    '/',
    '//',
    '..',
    ':',
    '?',
    '#',
    '@',
    '%2f',
    'alias/',
    '\n',
    '\u0000',
    'cryptoKeys',
    'versions/2',
  ];
  await fc.assert(
    fc.asyncProperty(fc.oneof(anyText, mutatedText(uris, pieces)), async (text) => {
      const uri = await attempt(() => parseKmsUri(text));
      if (uri === undefined) return;
      const written =
        uri.service === 'aws'
          ? `awskms://${uri.endpoint?.replace('https://', '') ?? ''}/${uri.keyId}`
          : `gcpkms://${uri.keyRing}/cryptoKeys/${uri.key}${uri.version === undefined ? '' : `/versions/${uri.version}`}`;
      expect(written).toBe(text.replace('/cryptoKeyVersions/', '/versions/'));
      expect(text).not.toMatch(/[\s?#@%]|\.\./);
    }),
    { numRuns: fuzzRuns(1_000) },
  );
});
