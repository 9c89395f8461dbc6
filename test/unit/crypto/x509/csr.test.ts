import type { webcrypto } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { contextConstructed, tag } from '../../../../src/crypto/der/tags.ts';
import { bitString, sequence, smallInteger, tlv } from '../../../../src/crypto/der/write.ts';
import { generateSigningKey, signBytes, spkiDer } from '../../../../src/crypto/keys.ts';
import { encodeSignatureAlgorithm } from '../../../../src/crypto/spki.ts';
import { createCsr, maxCsrBytes, parseCsr } from '../../../../src/crypto/x509/csr.ts';
import { emptyName } from '../../../../src/crypto/x509/name.ts';
import { expectCode } from '../support/fixtures.ts';
import { x509 } from '../support/peculiar.ts';

const key = generateSigningKey('ML-DSA-65');
const csr = createCsr(key);
const attributes = tlv(contextConstructed(0));

function request(parts: {
  version?: number;
  spki?: Uint8Array;
  attributes?: Uint8Array;
  signer?: typeof key;
  algorithm?: Buffer;
}): Buffer {
  const signer = parts.signer ?? key;
  const info = sequence(
    smallInteger(parts.version ?? 0),
    emptyName,
    parts.spki ?? spkiDer(key),
    parts.attributes ?? attributes,
  );
  return sequence(
    info,
    parts.algorithm ?? encodeSignatureAlgorithm(signer.algorithm),
    bitString(signBytes(signer, info)),
  );
}

describe('requests', () => {
  test.each(['ML-DSA-65', 'ML-DSA-87', 'ECDSA-P256', 'ECDSA-P384'] as const)(
    '%s: reads back what it wrote',
    (algorithm) => {
      const own = generateSigningKey(algorithm);
      const parsed = parseCsr(createCsr(own));
      expect(parsed.algorithm).toBe(algorithm);
      expect(parsed.publicKey).toEqual(spkiDer(own));
      expect(parsed.key.equals(own.publicKey)).toBe(true);
    },
  );

  test('@peculiar/x509 verifies ours', async () => {
    const theirs = new x509.Pkcs10CertificateRequest(csr);
    expect(await theirs.verify()).toBe(true);
    expect(theirs.subject).toBe('');
  });

  test('we verify those of @peculiar/x509, and take nothing but the key from them', async () => {
    const algorithm = { name: 'ML-DSA-65' };
    const keys = (await crypto.subtle.generateKey(algorithm, true, [
      'sign',
      'verify',
    ])) as webcrypto.CryptoKeyPair;
    const theirs = await x509.Pkcs10CertificateRequestGenerator.create({
      name: 'CN=admin',
      keys,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.SubjectAlternativeNameExtension([
          { type: 'url', value: 'spiffe://mesh.example/ns/kube-system/sa/admin' },
        ]),
      ],
    });
    const parsed = parseCsr(Buffer.from(theirs.rawData));
    expect(Object.keys(parsed).sort()).toEqual(['algorithm', 'key', 'publicKey']);
    expect(parsed.publicKey).toEqual(Buffer.from(theirs.publicKey.rawData));
  });
});

describe('refuses', () => {
  test("somebody else's public key: there is no proof of possession", () => {
    const thief = generateSigningKey('ML-DSA-65');
    expectCode('ERR_CSR_BAD_SIGNATURE', () => parseCsr(request({ signer: thief })));
  });

  test('a signature algorithm that is not the one of the key', () => {
    expectCode('ERR_CSR_BAD_SIGNATURE', () =>
      parseCsr(request({ algorithm: encodeSignatureAlgorithm('ML-DSA-87') })),
    );
    expectCode('ERR_CSR_BAD_SIGNATURE', () =>
      parseCsr(request({ signer: generateSigningKey('ECDSA-P256') })),
    );
  });

  test.each([
    ['another version', request({ version: 1 })],
    ['missing attributes', request({ attributes: Buffer.alloc(0) })],
    ['attributes of another kind', request({ attributes: sequence() })],
    ['bytes after the attributes', request({ attributes: Buffer.concat([attributes, sequence()]) })],
    ['bytes after the request', Buffer.concat([csr, Buffer.of(0)])],
    ['a request that is cut off', csr.subarray(0, -1)],
    ['an oversized request', tlv(tag.sequence, Buffer.alloc(maxCsrBytes))],
    ['nothing', Buffer.alloc(0)],
  ])('%s', (_what, bytes) => {
    expectCode('ERR_CSR_PARSE', () => parseCsr(bytes));
  });

  test('an oversized request before reading it', () => {
    expectCode('ERR_CSR_PARSE', () => parseCsr(Buffer.alloc(maxCsrBytes + 1)), 'longer than');
  });
});
