// Certificates: nothing but CryptoError for what is none, one meaning for what is one, and no accepted change.

import { createPublicKey, X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { IssuingAlgorithm } from '../../src/crypto/algorithms.ts';
import { tag } from '../../src/crypto/der/tags.ts';
import { bitString, sequence, tlv } from '../../src/crypto/der/write.ts';
import { CryptoError } from '../../src/crypto/errors.ts';
import { generateSigningKey, spkiDer } from '../../src/crypto/keys.ts';
import { encodeSignatureAlgorithm } from '../../src/crypto/spki.ts';
import {
  type Certificate,
  maxCertificateBytes,
  parseCertificate,
} from '../../src/crypto/x509/certificate.ts';
import { verifyCounterSignature, verifyCounterSignedPath } from '../../src/crypto/x509/counter-signature.ts';
import { issueSvid } from '../../src/crypto/x509/issue.ts';
import { isSignedBy, validatePath } from '../../src/crypto/x509/path.ts';
import { parseBundle } from '../../src/crypto/x509/trust-anchors.ts';
import { fuzzRuns } from '../support/fuzz.ts';
import { at, day, makeIssuingCa, makeLeaf, makeRoot, now } from '../unit/crypto/support/fixtures.ts';
import { extension, forge } from '../unit/crypto/support/forge.ts';
import { x509 } from '../unit/crypto/support/peculiar.ts';
import { mutatedDer } from './support/der-mutations.ts';
import { described, mutatedBytes } from './support/mutations.ts';

const root = makeRoot();
const issuing = makeIssuingCa(root);
const classicalRoot = makeRoot({ algorithm: 'ECDSA-P256', counterAlgorithm: 'ML-DSA-65' });
const { certificate: leaf } = makeLeaf(root);
const certificates: readonly Certificate[] = [
  leaf,
  root.certificate,
  issuing.certificate,
  makeLeaf(issuing, { commonName: 'a pod' }).certificate,
  makeLeaf(classicalRoot, { key: generateSigningKey('ECDSA-P384') }).certificate,
];

/** The beginning and end of the certificate, where the structure is, as often as its two long random-looking middles. */
const tbsHeaderBytes = 200;
const extensionsBytes = 450;
function positionIn(certificate: Certificate): fc.Arbitrary<number> {
  const signatureAt = certificate.der.length - certificate.signature.length;
  return fc.oneof(
    fc.nat({ max: tbsHeaderBytes }),
    fc.integer({ min: signatureAt - extensionsBytes, max: signatureAt }),
    fc.nat({ max: certificate.der.length - 1 }),
  );
}

const flipped = (certificate: Certificate) =>
  fc.tuple(positionIn(certificate), fc.nat({ max: 7 })).map(([index, bit]) => {
    const changed = Buffer.from(certificate.der);
    changed[index] = (changed[index] ?? 0) ^ (1 << bit);
    return described(changed, { index, bit });
  });

const changedCertificate = fc.oneof(
  mutatedBytes(fc.constantFrom(...certificates.map(({ der }) => der))),
  fc.constantFrom(...certificates).chain(flipped),
  mutatedDer(fc.constantFrom(...certificates.map(({ der }) => der))),
);

function parsedOrRefused(der: Uint8Array): Certificate | undefined {
  try {
    return parseCertificate(der);
  } catch (error) {
    expect(error).toBeInstanceOf(CryptoError);
    return undefined;
  }
}

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

describe('what is parsed', () => {
  test('is the bytes that came, piece by piece, and no copy but one', () => {
    fc.assert(
      fc.property(changedCertificate, (der) => {
        const certificate = parsedOrRefused(der);
        if (certificate === undefined) return;
        const { tbs, signature, signatureAlgorithm, extensions, fields } = certificate;
        expect(certificate.der).toEqual(der);
        expect(sequence(tbs, encodeSignatureAlgorithm(signatureAlgorithm), bitString(signature))).toEqual(
          der,
        );
        const slices = [
          tbs,
          signature,
          certificate.serial,
          certificate.issuer,
          certificate.subject,
          certificate.spki,
        ];
        const held = [
          ...slices,
          fields.beforeSignature,
          fields.afterSignature,
          ...extensions.all.map(({ raw }) => raw),
        ];
        for (const slice of held) expect(slice.buffer).toBe(certificate.der.buffer);
        expect(extensions.all.length).toBeLessThanOrEqual(32);
      }),
      { numRuns: fuzzRuns(500) },
    );
  });

  test('means the same to OpenSSL and to @peculiar/x509', () => {
    fc.assert(
      fc.property(changedCertificate, (der) => agreesWithOthers(parsedOrRefused(der))),
      {
        numRuns: fuzzRuns(500),
      },
    );
  });

  test('with any serial number, means the same to OpenSSL and to @peculiar/x509', () => {
    const octet = fc.oneof(fc.constantFrom(0, 0x7f, 0x80, 0xff), fc.nat({ max: 255 }));
    fc.assert(
      fc.property(fc.array(octet, { maxLength: 22 }), (octets) => {
        const serial = tlv(tag.integer, Uint8Array.from(octets));
        agreesWithOthers(parsedOrRefused(forge(leaf, root.key, { serial })));
      }),
      { numRuns: fuzzRuns(100) },
    );
  });

  test('whatever was issued, means the same to OpenSSL and to @peculiar/x509', () => {
    const algorithms: readonly IssuingAlgorithm[] = ['ML-DSA-65', 'ML-DSA-87', 'ECDSA-P256', 'ECDSA-P384'];
    const keys = algorithms.map((algorithm) => spkiDer(generateSigningKey(algorithm)));
    const segment = fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,20}$/);
    fc.assert(
      fc.property(
        fc.constantFrom(root, issuing, classicalRoot),
        fc.constantFrom(...keys),
        fc.array(segment, { minLength: 1, maxLength: 5 }),
        fc.uint8Array({ minLength: 16, maxLength: 20 }),
        fc.tuple(fc.integer({ min: -day, max: 0 }), fc.integer({ min: 0, max: day })),
        fc.option(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 })),
        (ca, subjectKey, segments, serial, [from, to], commonName) => {
          const spiffeId = `spiffe://mesh.example/${segments.join('/')}`;
          const validity = { notBefore: at(from), notAfter: at(to) };
          const subject = commonName === null ? {} : { subject: { commonName } };
          const certificate = parseCertificate(
            issueSvid(ca.issuer, { subjectKey, spiffeId, serial, ...validity, ...subject }),
          );
          expect(certificate.extensions.subjectAltName?.uris).toEqual([spiffeId]);
          expect(certificate.spki).toEqual(subjectKey);
          agreesWithOthers(certificate);
          expect(isSignedBy(certificate, ca.certificate)).toBe(true);
          expect(() => verifyCounterSignature(certificate, ca.certificate)).not.toThrow();
        },
      ),
      { numRuns: fuzzRuns(100) },
    );
  });
});

/** Whatever Trellis accepts, the two others accept, and read the same serial number, names, times and key from it. */
function agreesWithOthers(certificate: Certificate | undefined): void {
  if (certificate === undefined) return;
  const { der, serial, notBefore, notAfter } = certificate;
  // RFC 5280 §4.1.2.2: positive. What others show of a negative one differs.
  expect(serial.some((octet) => octet !== 0)).toBe(true);
  const openssl = new X509Certificate(der);
  expect(openssl.raw).toEqual(der);
  expect(openssl.serialNumber).toBe(serial.toString('hex').toUpperCase());
  expect(openssl.validFromDate).toEqual(notBefore);
  expect(openssl.validToDate).toEqual(notAfter);
  expect(openssl.publicKey.equals(certificate.publicKey)).toBe(true);
  expect(
    openssl.publicKey.equals(createPublicKey({ key: certificate.spki, format: 'der', type: 'spki' })),
  ).toBe(true);

  const peculiar = new x509.X509Certificate(der);
  expect(peculiar.serialNumber.toUpperCase()).toBe(serial.toString('hex').toUpperCase());
  expect(peculiar.notBefore).toEqual(notBefore);
  expect(peculiar.notAfter).toEqual(notAfter);
  expect(Buffer.from(peculiar.publicKey.rawData)).toEqual(certificate.spki);
  expect(Buffer.from(peculiar.issuerName.toArrayBuffer())).toEqual(certificate.issuer);
  expect(Buffer.from(peculiar.subjectName.toArrayBuffer())).toEqual(certificate.subject);
}

describe('a certificate that is accepted', () => {
  test('is the unchanged one', () => {
    expect(() => accept(leaf.der)).not.toThrow();
  });

  test('is refused after any change of one byte', () => {
    fc.assert(
      fc.property(positionIn(leaf), fc.integer({ min: 1, max: 255 }), (index, mask) => {
        const changed = Buffer.from(leaf.der);
        changed[index] = (changed[index] ?? 0) ^ mask;
        expect(() => accept(changed)).toThrow(CryptoError);
      }),
      { numRuns: fuzzRuns(500) },
    );
  });

  test('is refused after any other change', () => {
    const valid = fc.constant(leaf.der);
    fc.assert(
      fc.property(fc.oneof(mutatedBytes(valid), mutatedDer(valid)), (changed) => {
        if (changed.equals(leaf.der)) return;
        expect(() => accept(changed)).toThrow(CryptoError);
      }),
      { numRuns: fuzzRuns(500) },
    );
  });

  test('verifies under neither key of its issuer after a change of one bit', () => {
    fc.assert(
      fc.property(flipped(leaf), (der) => {
        const changed = parsedOrRefused(der);
        if (changed === undefined) return;
        expect(isSignedBy(changed, root.certificate)).toBe(false);
        // The counter-signature covers all but the primary signature, its algorithm and itself.
        const covered = !changed.tbs.equals(leaf.tbs);
        if (covered) expect(() => verifyCounterSignature(changed, root.certificate)).toThrow(CryptoError);
      }),
      { numRuns: fuzzRuns(500) },
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
    { numRuns: fuzzRuns(100) },
  );
});

test('what is longer than any certificate is refused, however well-formed', () => {
  const all = leaf.extensions.all.map(({ raw }) => raw);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 * maxCertificateBytes }), (bytes) => {
      const padded = forge(leaf, root.key, { extensions: [...all, extension('1.2.3', Buffer.alloc(bytes))] });
      const parsed = parsedOrRefused(padded);
      expect(parsed === undefined).toBe(padded.length > maxCertificateBytes);
    }),
    { numRuns: fuzzRuns(20) },
  );
});
