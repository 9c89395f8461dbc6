// Whatever bytes arrive, nothing but CryptoError is thrown, and no changed certificate is ever accepted.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CryptoError } from '../../../../src/crypto/errors.ts';
import { parseCertificate } from '../../../../src/crypto/x509/certificate.ts';
import { verifyCounterSignedPath } from '../../../../src/crypto/x509/counter-signature.ts';
import { validatePath } from '../../../../src/crypto/x509/path.ts';
import { parseBundle } from '../../../../src/crypto/x509/trust-anchors.ts';
import { makeLeaf, makeRoot, now } from '../support/fixtures.ts';

const root = makeRoot();
const { certificate: leaf } = makeLeaf(root);

function accept(der: Uint8Array): void {
  const path = validatePath({
    leaf: parseCertificate(der),
    intermediates: [],
    anchors: [root.certificate],
    now,
    purpose: 'server',
  });
  verifyCounterSignedPath(path);
}

/** The beginning and end of the certificate, where the structure is, as often as its two long random-looking middles. */
const tbsHeaderBytes = 200;
const extensionsBytes = 450;
const signatureAt = leaf.der.length - leaf.signature.length;
const position = fc.oneof(
  fc.nat({ max: tbsHeaderBytes }),
  fc.integer({ min: signatureAt - extensionsBytes, max: signatureAt }),
  fc.nat({ max: leaf.der.length - 1 }),
);

describe('a certificate that is accepted', () => {
  test('is the unchanged one', () => {
    expect(() => accept(leaf.der)).not.toThrow();
  });

  test('is refused after any change of one byte', () => {
    fc.assert(
      fc.property(position, fc.integer({ min: 1, max: 255 }), (index, mask) => {
        const changed = Buffer.from(leaf.der);
        changed[index] = (changed[index] ?? 0) ^ mask;
        expect(() => accept(changed)).toThrow(CryptoError);
      }),
      { numRuns: 1500 },
    );
  });

  test('is refused after a byte is removed, inserted or the end is cut off', () => {
    fc.assert(
      fc.property(
        position,
        fc.constantFrom('remove', 'insert', 'cut'),
        fc.nat({ max: 255 }),
        (index, kind, octet) => {
          const before = leaf.der.subarray(0, index);
          const rest = leaf.der.subarray(index);
          const changed = {
            remove: Buffer.concat([before, rest.subarray(1)]),
            insert: Buffer.concat([before, Buffer.of(octet), rest]),
            cut: before,
          }[kind];
          expect(() => accept(changed)).toThrow(CryptoError);
        },
      ),
      { numRuns: 500 },
    );
  });
});

test('arbitrary bytes never throw anything but CryptoError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      expect(() => accept(bytes)).toThrow(CryptoError);
      expect(() => accept(Buffer.concat([leaf.der.subarray(0, 60), bytes]))).toThrow(CryptoError);
      expect(() => parseBundle(Buffer.from(bytes).toString('latin1'))).toThrow(CryptoError);
    }),
  );
});
