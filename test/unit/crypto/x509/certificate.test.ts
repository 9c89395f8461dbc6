import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { contextPrimitive, tag } from '../../../../src/crypto/der/tags.ts';
import {
  bitString,
  derTrue,
  explicit,
  octetString,
  oid,
  sequence,
  setOfOne,
  smallInteger,
  tlv,
  unsignedInteger,
  utf8String,
} from '../../../../src/crypto/der/write.ts';
import { generateSigningKey, spkiDer } from '../../../../src/crypto/keys.ts';
import { encodeSignatureAlgorithm } from '../../../../src/crypto/spki.ts';
import { maxCertificateBytes, parseCertificate } from '../../../../src/crypto/x509/certificate.ts';
import { extensionOid, keyPurposeOid } from '../../../../src/crypto/x509/oids.ts';
import { expectCode, makeLeaf, makeRoot, now, spiffeId } from '../support/fixtures.ts';
import {
  dnsName,
  elementsOf,
  extension,
  extensionsWithout,
  forge,
  rawExtension,
  subjectAltName,
  uriName,
} from '../support/forge.ts';

const root = makeRoot();
const { certificate: leaf } = makeLeaf(root);
const own = elementsOf(leaf);
const utc = (text: string): Buffer => tlv(tag.utcTime, Buffer.from(text));
const derFalse = tlv(tag.boolean, Buffer.of(0));

function parseForged(change: Parameters<typeof forge>[2]): ReturnType<typeof parseCertificate> {
  return parseCertificate(forge(leaf, root.key, change));
}

const attribute = (value: Uint8Array): Buffer => sequence(oid('2.5.4.3'), value);
const name = (value: Uint8Array): Buffer => sequence(setOfOne(attribute(value)));

describe('parseCertificate', () => {
  test('an unchanged forgery parses, so the refusals below have their own reasons', () => {
    expect(parseForged({}).spki).toEqual(leaf.spki);
  });

  test('reads the fields of an SVID', () => {
    expect(leaf.extensions.subjectAltName).toEqual({ uris: [spiffeId], dnsNames: [] });
    expect(leaf.extensions.keyUsage).toEqual(new Set([0]));
    expect(leaf.extensions.extendedKeyUsage).toEqual(new Set(Object.values(keyPurposeOid)));
    expect(leaf.extensions.basicConstraints).toBeUndefined();
    expect(leaf.extensions.counterKey).toBeUndefined();
    expect(leaf.extensions.counterSignature?.algorithm).toBe('ECDSA-P256');
    expect(leaf.notBefore).toEqual(new Date(now.getTime() - 60_000));
    expect(leaf.issuer).toEqual(root.certificate.subject);
    expect(leaf.keyAlgorithm).toBe('ML-DSA-65');
    expect(leaf.signatureAlgorithm).toBe('ML-DSA-65');
  });

  test('keeps its own copy: changing the input afterwards changes nothing', () => {
    const input = Buffer.from(leaf.der);
    const parsed = parseCertificate(input);
    input.fill(0);
    expect(parsed.tbs).toEqual(leaf.tbs);
    expect(parsed.extensions.all[0]?.raw).toEqual(leaf.extensions.all[0]?.raw);
  });

  test('reads a certificate that sits in the middle of a larger buffer', () => {
    const larger = Buffer.concat([Buffer.alloc(7), leaf.der, Buffer.alloc(7)]);
    expect(parseCertificate(larger.subarray(7, 7 + leaf.der.length)).fields).toEqual(leaf.fields);
  });
});

describe('refuses structure outside the profile', () => {
  const inner = Buffer.concat([own.version, own.serial]);
  test.each<[string, Parameters<typeof forge>[2]]>([
    ['version 1 written out', { version: explicit(0, smallInteger(0)) }],
    ['version 4', { version: explicit(0, smallInteger(3)) }],
    ['no version', { version: Buffer.alloc(0) }],
    ['serial 0', { serial: smallInteger(0) }],
    ['a negative serial', { serial: tlv(tag.integer, Buffer.of(0x80)) }],
    ['a padded serial', { serial: tlv(tag.integer, Buffer.of(0, 1)) }],
    ['a serial of 21 bytes', { serial: unsignedInteger(Buffer.alloc(21, 0x11)) }],
    ['two different signature algorithms', { algorithm: encodeSignatureAlgorithm('ML-DSA-87') }],
    ['an outer algorithm that differs', { outerAlgorithm: encodeSignatureAlgorithm('ML-DSA-87') }],
    ['an empty issuer', { issuer: sequence() }],
    ['an issuer that is no name', { issuer: sequence(sequence(attribute(utf8String('a')))) }],
    ['a subject that is no name', { subject: sequence(octetString(Buffer.of(1))) }],
    ['a name with an empty part', { subject: sequence(tlv(tag.set)) }],
    ['a name with bytes after a value', { subject: name(Buffer.concat([utf8String('a'), derTrue])) }],
    ['a name that is no text', { subject: name(octetString(Buffer.of(1))) }],
    ['a name that is no UTF-8', { subject: name(tlv(tag.utf8String, Buffer.of(0xff))) }],
    ['a printable name that is not', { subject: name(tlv(tag.printableString, Buffer.from('é'))) }],
    ['notAfter before notBefore', { validity: sequence(utc('260301120001Z'), utc('260301120000Z')) }],
    [
      'a third time',
      { validity: sequence(utc('260301120000Z'), utc('260301120000Z'), utc('260301120000Z')) },
    ],
    ['an issuerUniqueID', { uniqueIds: tlv(contextPrimitive(1), Buffer.of(0, 1)) }],
    ['no extensions', { extensions: [] }],
    ['something between the fields', { subject: Buffer.concat([own.subject, inner]) }],
  ])('%s', (_what, change) => {
    expectCode('ERR_CERT_PARSE', () => parseForged(change));
  });

  test('an algorithm with NULL parameters (RFC 9881 §2)', () => {
    const withNull = sequence(oid('2.16.840.1.101.3.4.3.18'), tlv(0x05));
    expectCode('ERR_CERT_PARSE', () => parseForged({ algorithm: withNull, outerAlgorithm: withNull }));
  });

  test('an algorithm it does not have, by name', () => {
    const rsa = sequence(oid('1.2.840.113549.1.1.11'));
    expectCode('ERR_ALGORITHM_UNKNOWN', () => parseForged({ algorithm: rsa, outerAlgorithm: rsa }));
    const ed25519 = generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' });
    expectCode('ERR_ALGORITHM_UNKNOWN', () => parseForged({ spki: ed25519 }));
  });

  test('no extensions field at all, bytes after the certificate, an oversized one, nothing', () => {
    const tbs = sequence(
      own.version,
      own.serial,
      own.algorithm,
      own.issuer,
      own.validity,
      own.subject,
      own.spki,
    );
    expectCode('ERR_CERT_PARSE', () =>
      parseCertificate(sequence(tbs, own.algorithm, bitString(leaf.signature))),
    );
    expectCode('ERR_CERT_PARSE', () => parseCertificate(Buffer.concat([leaf.der, Buffer.of(0)])));
    expectCode('ERR_CERT_PARSE', () =>
      parseForged({ extensions: [extension('1.2.3', Buffer.alloc(maxCertificateBytes))] }),
    );
    expectCode('ERR_CERT_PARSE', () => parseCertificate(Buffer.alloc(0)));
  });

  test('a non-minimal length, even where everything else is right', () => {
    // 30 82 xx xx → 30 83 00 xx xx: the same value in one byte more.
    const longer = Buffer.concat([Buffer.of(0x30, 0x83, 0x00), leaf.der.subarray(2)]);
    expectCode('ERR_CERT_PARSE', () => parseCertificate(longer));
    const value = Buffer.of(0x81, 0x16);
    const keyId = rawExtension(leaf, extensionOid.subjectKeyIdentifier);
    const at = keyId.indexOf(Buffer.of(0x04, 0x16));
    const stretched = sequence(keyId.subarray(2, at + 1), value, keyId.subarray(at + 2));
    const rest = extensionsWithout(leaf, extensionOid.subjectKeyIdentifier);
    expectCode('ERR_CERT_PARSE', () => parseForged({ extensions: [...rest, stretched] }));
  });
});

describe('refuses extensions', () => {
  const without = (...oids: string[]): Buffer[] => extensionsWithout(leaf, ...oids);
  const withExtra = (...extra: Buffer[]): Parameters<typeof forge>[2] => ({
    extensions: [...own.extensions, ...extra],
  });
  const replacing = (dotted: string, replacement: Buffer): Parameters<typeof forge>[2] => ({
    extensions: [...without(dotted), replacement],
  });

  test.each(
    Object.values(extensionOid).filter((dotted) => leaf.extensions.all.some((e) => e.oid === dotted)),
  )('%s twice', (dotted) => {
    const error = expectCode('ERR_CERT_PARSE', () => parseForged(withExtra(rawExtension(leaf, dotted))));
    expect(error.message).toContain('twice');
  });

  test('an unknown one twice', () => {
    expectCode('ERR_CERT_PARSE', () =>
      parseForged(withExtra(extension('1.2.3', octetString(Buffer.of(1))), extension('1.2.3', sequence()))),
    );
  });

  test.each<[string, Parameters<typeof forge>[2]]>([
    ['critical FALSE written out', withExtra(sequence(oid('1.2.3'), derFalse, octetString(sequence())))],
    ['an extension with a fourth field', withExtra(sequence(oid('1.2.3'), octetString(sequence()), derTrue))],
    ['more than 32', withExtra(...Array.from({ length: 33 }, (_, i) => extension(`1.2.${i}`, sequence())))],
    ['cA FALSE written out', withExtra(extension(extensionOid.basicConstraints, sequence(derFalse)))],
    [
      'a path length without cA',
      withExtra(extension(extensionOid.basicConstraints, sequence(smallInteger(1)))),
    ],
    [
      'a negative path length',
      withExtra(
        extension(extensionOid.basicConstraints, sequence(derTrue, tlv(tag.integer, Buffer.of(0xff)))),
      ),
    ],
    [
      'an empty keyUsage',
      replacing(extensionOid.keyUsage, extension(extensionOid.keyUsage, bitString(Buffer.alloc(0)))),
    ],
    [
      'an empty extendedKeyUsage',
      replacing(extensionOid.extendedKeyUsage, extension(extensionOid.extendedKeyUsage, sequence())),
    ],
    [
      'an empty subjectAltName',
      replacing(extensionOid.subjectAltName, extension(extensionOid.subjectAltName, sequence())),
    ],
    [
      'a NUL inside a URI',
      replacing(extensionOid.subjectAltName, subjectAltName([uriName, `${spiffeId}\0.evil`])),
    ],
    [
      'a URI outside ASCII',
      replacing(extensionOid.subjectAltName, subjectAltName([uriName, 'spiffe://m\u00e9sh/a'])),
    ],
    [
      'something else than names',
      replacing(
        extensionOid.subjectAltName,
        extension(extensionOid.subjectAltName, sequence(utf8String('a'))),
      ),
    ],
    [
      'bytes after a value',
      replacing(
        extensionOid.subjectAltName,
        extension(
          extensionOid.subjectAltName,
          Buffer.concat([sequence(tlv(0x86, Buffer.from(spiffeId))), Buffer.of(0)]),
        ),
      ),
    ],
  ])('%s', (_what, change) => {
    expectCode('ERR_CERT_PARSE', () => parseForged(change));
  });

  test('reads DNS names and skips kinds of names it does not use', () => {
    const names = subjectAltName([uriName, spiffeId], [dnsName, 'a.example'], [1, 'mail@a.example']);
    const parsed = parseForged(replacing(extensionOid.subjectAltName, names));
    expect(parsed.extensions.subjectAltName).toEqual({ uris: [spiffeId], dnsNames: ['a.example'] });
  });

  test('reads an authority key identifier that also names issuer and serial number', () => {
    const aki = sequence(tlv(0x80, Buffer.of(1, 2)), tlv(0xa1), tlv(0x82, Buffer.of(1)));
    const parsed = parseForged(
      replacing(extensionOid.authorityKeyIdentifier, extension(extensionOid.authorityKeyIdentifier, aki)),
    );
    expect(parsed.extensions.authorityKeyId).toEqual(Buffer.of(1, 2));
  });
});

describe('refuses alternative-signature extensions', () => {
  const algorithm = rawExtension(leaf, extensionOid.altSignatureAlgorithm);
  const value = rawExtension(leaf, extensionOid.altSignatureValue);
  const rest = extensionsWithout(leaf, extensionOid.altSignatureAlgorithm, extensionOid.altSignatureValue);
  const altAlgorithm = encodeSignatureAlgorithm('ECDSA-P256');
  const altValue = bitString(Buffer.alloc(70));

  test.each<[string, Buffer[], string?]>([
    ['74 without 73', [...rest, value], 'both be present'],
    ['73 without 74', [...rest, algorithm], 'both be present'],
    ['a critical 73', [...rest, extension(extensionOid.altSignatureAlgorithm, altAlgorithm, true), value]],
    ['a critical 74', [...rest, algorithm, extension(extensionOid.altSignatureValue, altValue, true)]],
    [
      'a value that is no bit string',
      [...rest, algorithm, extension(extensionOid.altSignatureValue, octetString(altValue))],
    ],
    [
      'bytes after the algorithm',
      [
        ...rest,
        extension(extensionOid.altSignatureAlgorithm, Buffer.concat([altAlgorithm, Buffer.of(0)])),
        value,
      ],
    ],
    [
      'a second key in a leaf',
      [...rest, algorithm, value, rawExtension(root.certificate, extensionOid.subjectAltPublicKeyInfo)],
    ],
  ])('%s', (_what, extensions, reason = '') => {
    expectCode('ERR_CERT_PARSE', () => parseForged({ extensions }), reason);
  });

  test('a critical 72', () => {
    const others = extensionsWithout(root.certificate, extensionOid.subjectAltPublicKeyInfo);
    const critical = extension(
      extensionOid.subjectAltPublicKeyInfo,
      spkiDer(generateSigningKey('ECDSA-P256')),
      true,
    );
    expectCode('ERR_CERT_PARSE', () =>
      parseCertificate(forge(root.certificate, root.key, { extensions: [...others, critical] })),
    );
  });

  test('neither is fine: a certificate without a counter-signature', () => {
    expect(parseForged({ extensions: rest }).extensions.counterSignature).toBeUndefined();
  });
});
