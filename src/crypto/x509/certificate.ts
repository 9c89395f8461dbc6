// X.509 v3 certificates (RFC 5280 §4.1), parsed strictly and kept with their raw bytes. Parsing verifies nothing:
// path.ts and counter-signature.ts do.

import type { KeyObject } from 'node:crypto';
import type { SignatureAlgorithm } from '../algorithms.ts';
import {
  type DerElement,
  type DerReader,
  derError,
  inside,
  readBitString,
  readInteger,
  readOnly,
  readSmallInteger,
  readTime,
} from '../der/read.ts';
import { contextConstructed, tag } from '../der/tags.ts';
import { asParseError, CryptoError } from '../errors.ts';
import { parseSpki, readSignatureAlgorithm } from '../spki.ts';
import { type Extensions, readExtensions } from './extensions.ts';
import { checkName } from './name.ts';

/** An ML-DSA-87 CA certificate with a second key and a counter-signature has about 8 KB. */
export const maxCertificateBytes = 16 * 1024;
/** RFC 5280 §4.1.2.2 */
const maxSerialBytes = 20;
const version3 = 2;

/** A parsed certificate. All buffers are slices of `der`, which is the parser's own copy of its input. */
export interface Certificate {
  readonly der: Buffer;
  /** The TBSCertificate element: what the issuer's primary signature covers. */
  readonly tbs: Buffer;
  readonly fields: TbsFields;
  /** Big-endian, positive, without leading zeros. */
  readonly serial: Buffer;
  /** Raw DER Name: names are compared byte by byte. */
  readonly issuer: Buffer;
  /** Raw DER Name. */
  readonly subject: Buffer;
  readonly notBefore: Date;
  /** Still valid at this very moment (RFC 5280 §4.1.2.5: inclusive). */
  readonly notAfter: Date;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
  readonly publicKey: KeyObject;
  readonly keyAlgorithm: SignatureAlgorithm;
  readonly signatureAlgorithm: SignatureAlgorithm;
  readonly signature: Buffer;
  readonly extensions: Extensions;
}

/** Slices of TBSCertificate that the counter-signature is computed over. */
export interface TbsFields {
  /** version and serialNumber. */
  readonly beforeSignature: Buffer;
  /** issuer, validity, subject and subjectPublicKeyInfo. */
  readonly afterSignature: Buffer;
}

/**
 * Parses one DER certificate.
 * @throws CryptoError ERR_CERT_PARSE, or ERR_ALGORITHM_UNKNOWN / ERR_KEY_INVALID for an algorithm or key outside the table
 */
export function parseCertificate(der: Uint8Array): Certificate {
  return asParseError('ERR_CERT_PARSE', 'not a certificate that Trellis reads', () => {
    if (der.length > maxCertificateBytes) {
      throw new CryptoError('ERR_CERT_PARSE', `a certificate longer than ${maxCertificateBytes} bytes`);
    }
    // The caller may reuse its buffer; what was verified must stay what is used.
    const own = Buffer.from(der);
    const parts = inside(readOnly(own, tag.sequence, 'certificate'));
    const tbs = parts.next(tag.sequence, 'TBSCertificate');
    const outerAlgorithm = parts.next(tag.sequence, 'signatureAlgorithm');
    const signature = readBitString(parts.next(tag.bitString, 'signature'), 'signature');
    parts.end('certificate');
    return { der: own, tbs: tbs.raw, signature, ...readTbs(tbs, outerAlgorithm) };
  });
}

function readTbs(
  tbs: DerElement,
  outerAlgorithm: DerElement,
): Omit<Certificate, 'der' | 'tbs' | 'signature'> {
  const fields = inside(tbs);
  const version = readVersion(fields);
  const serial = fields.next(tag.integer, 'serialNumber');
  const innerAlgorithm = fields.next(tag.sequence, 'signature');
  // RFC 5280 §4.1.1.2. Only the inner one is signed.
  if (!innerAlgorithm.raw.equals(outerAlgorithm.raw)) throw derError('the two signature algorithms differ');
  const issuer = fields.next(tag.sequence, 'issuer');
  const validity = fields.next(tag.sequence, 'validity');
  const subject = fields.next(tag.sequence, 'subject');
  const spki = fields.next(tag.sequence, 'subjectPublicKeyInfo');
  // issuerUniqueID and subjectUniqueID ([1], [2]) are obsolete (§4.1.2.8): whatever is not [3] is refused.
  const wrapper = fields.next(contextConstructed(3), 'extensions');
  fields.end('TBSCertificate');
  if (issuer.content.length === 0) throw derError('the issuer is empty');
  checkName(issuer, 'issuer');
  checkName(subject, 'subject');
  const key = parseSpki(spki.raw);
  return {
    fields: {
      beforeSignature: between(tbs.raw, version, serial),
      afterSignature: between(tbs.raw, issuer, spki),
    },
    serial: readSerial(serial),
    issuer: issuer.raw,
    subject: subject.raw,
    ...readValidity(validity),
    spki: spki.raw,
    publicKey: key.publicKey,
    keyAlgorithm: key.algorithm,
    signatureAlgorithm: readSignatureAlgorithm(innerAlgorithm),
    extensions: readExtensions(readOnly(wrapper.content, tag.sequence, 'extensions')),
  };
}

function readVersion(fields: DerReader): DerElement {
  const element = fields.next(contextConstructed(0), 'version');
  const version = readSmallInteger(readOnly(element.content, tag.integer, 'version'), 'version');
  if (version !== version3) throw derError('not an X.509 v3 certificate');
  return element;
}

function readSerial(element: DerElement): Buffer {
  const content = readInteger(element, 'serialNumber');
  const [first = 0] = content;
  if (first >= 0x80 || (first === 0 && content.length === 1))
    throw derError('the serial number is not positive');
  if (content.length > maxSerialBytes) throw derError(`a serial number longer than ${maxSerialBytes} bytes`);
  return first === 0 ? content.subarray(1) : content;
}

function readValidity(element: DerElement): { notBefore: Date; notAfter: Date } {
  const times = inside(element);
  const notBefore = readTime(times.nextOfAny('notBefore'), 'notBefore');
  const notAfter = readTime(times.nextOfAny('notAfter'), 'notAfter');
  times.end('validity');
  if (notAfter < notBefore) throw derError('notAfter is before notBefore');
  return { notBefore, notAfter };
}

/** The bytes from the beginning of one element to the end of a later one in the same parent. */
function between(parent: Buffer, first: DerElement, last: DerElement): Buffer {
  const start = first.raw.byteOffset - parent.byteOffset;
  return parent.subarray(start, last.raw.byteOffset - parent.byteOffset + last.raw.length);
}
