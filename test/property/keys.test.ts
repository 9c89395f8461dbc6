// Public keys and certificate requests: read in one way or refused, and a request is signed by the key in it.

import { createPublicKey } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { signatureAlgorithms } from '../../src/crypto/algorithms.ts';
import { readOnly } from '../../src/crypto/der/read.ts';
import { tag } from '../../src/crypto/der/tags.ts';
import { CryptoError } from '../../src/crypto/errors.ts';
import {
  exportPkcs8,
  generateSigningKey,
  importSigningKey,
  signBytes,
  spkiDer,
  verifyBytes,
} from '../../src/crypto/keys.ts';
import { encodeSpki, parseSpki } from '../../src/crypto/spki.ts';
import { createCsr, parseCsr } from '../../src/crypto/x509/csr.ts';
import { fuzzRuns } from '../support/fuzz.ts';
import { x509 } from '../unit/crypto/support/peculiar.ts';
import { mutatedDer } from './support/der-mutations.ts';
import { mutatedBytes } from './support/mutations.ts';

const keys = (['ML-DSA-65', 'ML-DSA-87', 'ECDSA-P256', 'ECDSA-P384'] as const).map((algorithm) =>
  generateSigningKey(algorithm),
);
const csrs = keys.map((key) => createCsr(key));

function attempt<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    expect(error).toBeInstanceOf(CryptoError);
    return undefined;
  }
}

describe('public keys', () => {
  const valid = fc.constantFrom(...keys.map((key) => spkiDer(key)));
  const changed = fc.oneof(mutatedBytes(valid), mutatedDer(valid));

  test('have one encoding each, and OpenSSL reads the same key', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), changed), (bytes) => {
        const parsed = attempt(() => parseSpki(bytes));
        if (parsed === undefined) return;
        expect(encodeSpki(parsed.algorithm, parsed.keyBits)).toEqual(Buffer.from(bytes));
        expect(parsed.keyBits.length).toBe(signatureAlgorithms[parsed.algorithm].publicKeyBytes);
        const openssl = createPublicKey({ key: Buffer.from(bytes), format: 'der', type: 'spki' });
        expect(openssl.equals(parsed.publicKey)).toBe(true);
        expect(openssl.export({ format: 'der', type: 'spki' })).toEqual(Buffer.from(bytes));
      }),
      { numRuns: fuzzRuns(500) },
    );
  });

  test('verify what was signed and nothing else', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...keys),
        fc.uint8Array({ maxLength: 100 }),
        mutatedBytes(fc.constant(Buffer.from('some bytes'))),
        (key, message, other) => {
          const signature = signBytes(key, message);
          expect(verifyBytes(key.publicKey, message, signature)).toBe(true);
          expect(verifyBytes(key.publicKey, Buffer.concat([message, other]), signature)).toBe(
            other.length === 0,
          );
        },
      ),
      { numRuns: fuzzRuns(50) },
    );
  });
});

describe('private keys', () => {
  const valid = fc.constantFrom(...keys.map((key) => exportPkcs8(key)));

  test('are one structure and nothing after it, and sign for their public half', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ maxLength: 200 }), mutatedBytes(valid), mutatedDer(valid)),
        (bytes) => {
          const key = attempt(() => importSigningKey(bytes));
          if (key === undefined) return;
          expect(readOnly(bytes, tag.sequence, 'PKCS#8').raw).toEqual(Buffer.from(bytes));
          const message = Buffer.from('message');
          expect(verifyBytes(key.publicKey, message, signBytes(key, message))).toBe(true);
        },
      ),
      { numRuns: fuzzRuns(300) },
    );
  });
});

describe('certificate requests', () => {
  const valid = fc.constantFrom(...csrs);

  test('are refused after any change', () => {
    fc.assert(
      fc.property(fc.oneof(mutatedBytes(valid), mutatedDer(valid)), (bytes) => {
        if (csrs.some((csr) => csr.equals(bytes))) return;
        expect(() => parseCsr(bytes)).toThrow(CryptoError);
      }),
      { numRuns: fuzzRuns(500) },
    );
  });

  test('arbitrary bytes never throw anything but CryptoError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(() => parseCsr(bytes)).toThrow(CryptoError);
      }),
      { numRuns: fuzzRuns(200) },
    );
  });

  test('name the key that @peculiar/x509 finds in them', () => {
    for (const csr of csrs) {
      const theirs = new x509.Pkcs10CertificateRequest(csr);
      expect(parseCsr(csr).publicKey).toEqual(Buffer.from(theirs.publicKey.rawData));
    }
  });
});
