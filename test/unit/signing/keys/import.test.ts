import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { ml_dsa65 } from '@noble/post-quantum/ml-dsa.js';
import { describe, expect, test, vi } from 'vitest';
import { octetString, oid, sequence, smallInteger } from '../../../../src/crypto/der/write.ts';
import { exportPkcs8, generateSigningKey, spkiDer } from '../../../../src/crypto/keys.ts';
import { fromPemOne, toPem } from '../../../../src/crypto/pem.ts';
import { exportPrivateKeyPem, importPrivateKey } from '../../../../src/signing/keys/import.ts';
import { encryptKeyFile } from '../../../../src/signing/keys/key-file.ts';
import { failure } from '../support.ts';

const noPassword = vi.fn(async () => 'unused');

describe('a private key', () => {
  test.each(['ML-DSA-65', 'ML-DSA-87', 'ECDSA-P256', 'ECDSA-P384'] as const)(
    'of %s leaves as PKCS#8 and comes back',
    async (algorithm) => {
      const key = generateSigningKey(algorithm);
      const pem = exportPrivateKeyPem(key);
      expect(fromPemOne(pem, 'PRIVATE KEY')).toEqual(exportPkcs8(key));
      expect(spkiDer(await importPrivateKey(pem, noPassword))).toEqual(spkiDer(key));
      expect(noPassword).not.toHaveBeenCalled();
    },
  );

  test.each(['ML-DSA-65', 'ML-DSA-87'] as const)('of %s leaves as its seed alone', (algorithm) => {
    expect(fromPemOne(exportPrivateKeyPem(generateSigningKey(algorithm)), 'PRIVATE KEY').length).toBe(54);
  });

  test.each(['P-256', 'P-384'])('on %s in the form of SEC 1 is read', async (namedCurve) => {
    const pair = generateKeyPairSync('ec', { namedCurve });
    const pem = pair.privateKey.export({ format: 'pem', type: 'sec1' }) as string;
    expect((await importPrivateKey(pem, noPassword)).publicKey.equals(pair.publicKey)).toBe(true);
  });

  test('in a key file is read with its password', async () => {
    const key = generateSigningKey('ECDSA-P256');
    const pem = await encryptKeyFile(key, 'pw', randomBytes);
    expect(spkiDer(await importPrivateKey(pem, async () => 'pw'))).toEqual(spkiDer(key));
    await failure(
      'ERR_KEY_FILE_PASSWORD',
      importPrivateKey(pem, async () => 'other'),
      /password/,
    );
  });

  const seed = Buffer.alloc(32, 5);
  const mldsa = (content: Buffer) =>
    toPem(
      'PRIVATE KEY',
      sequence(smallInteger(0), sequence(oid('2.16.840.1.101.3.4.3.18')), octetString(content)),
    );
  const { secretKey } = ml_dsa65.keygen(seed);
  const otherKey = ml_dsa65.keygen(Buffer.alloc(32, 6)).secretKey;
  const pem = (type: 'rsa' | 'ed25519') =>
    (type === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ed25519')
    ).privateKey
      .export({ format: 'pem', type: 'pkcs8' })
      .toString();
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const encrypted = ec
    .export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'x' })
    .toString();
  const sec1 = ec.export({ format: 'der', type: 'sec1' });

  test.each<readonly [string, string, RegExp]>([
    ['RSA', pem('rsa'), /./],
    ['Ed25519', pem('ed25519'), /no algorithm of Trellis.*ed25519/],
    ['an ML-DSA key without its seed', mldsa(octetString(Buffer.from(secretKey))), /no seed/],
    [
      'a seed beside the expanded key of another',
      mldsa(sequence(octetString(seed), octetString(Buffer.from(otherKey)))),
      /not a private key/,
    ],
    ['encrypted PKCS#8', encrypted, /found "ENCRYPTED PRIVATE KEY"/],
    ['a public key', toPem('PUBLIC KEY', spkiDer(generateSigningKey('ECDSA-P256'))), /found "PUBLIC KEY"/],
    ['SEC 1 with bytes after it', toPem('EC PRIVATE KEY', Buffer.concat([sec1, Buffer.of(0)])), /./],
    ['something else labelled SEC 1', toPem('EC PRIVATE KEY', sequence()), /not an EC private key/],
    ['two keys', pem('ed25519') + pem('ed25519'), /found 2/],
    ['nothing', '', /no "PRIVATE KEY" block/],
  ])('is not %s', async (_, text, reason) => {
    await failure('ERR_KEY_FILE_INVALID', importPrivateKey(text, noPassword), reason);
  });
});
