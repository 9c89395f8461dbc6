// Where the fields of an X.509 certificate (RFC 5280 §4.1) are, for certificates of foreign authorities: their issuers sign
// with algorithms that Trellis does not, so nothing here depends on the algorithm.

import { derError, inside, readOnly, readTime } from '../../crypto/der/read.ts';
import { contextConstructed, tag } from '../../crypto/der/tags.ts';
import { type Extensions, readExtensions } from '../../crypto/x509/extensions.ts';

export interface X509Fields {
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
  readonly notAfter: Date;
  readonly extensions: Extensions;
}

/** @throws CryptoError ERR_DER and others of reading extensions */
export function readX509Fields(der: Buffer): X509Fields {
  const parts = inside(readOnly(der, tag.sequence, 'certificate'));
  const fields = inside(parts.next(tag.sequence, 'TBSCertificate'));
  const outerAlgorithm = parts.next(tag.sequence, 'signatureAlgorithm');
  parts.next(tag.bitString, 'signature');
  parts.end('certificate');
  fields.next(contextConstructed(0), 'version');
  fields.next(tag.integer, 'serialNumber');
  const innerAlgorithm = fields.next(tag.sequence, 'signature');
  // RFC 5280 §4.1.1.2. Only the inner one is signed, and Sigstore's library reads the outer one.
  if (!innerAlgorithm.raw.equals(outerAlgorithm.raw)) throw derError('the two signature algorithms differ');
  fields.next(tag.sequence, 'issuer');
  const validity = inside(fields.next(tag.sequence, 'validity'));
  readTime(validity.nextOfAny('notBefore'), 'notBefore');
  const notAfter = readTime(validity.nextOfAny('notAfter'), 'notAfter');
  validity.end('validity');
  fields.next(tag.sequence, 'subject');
  const spki = fields.next(tag.sequence, 'subjectPublicKeyInfo').raw;
  const wrapper = fields.next(contextConstructed(3), 'extensions');
  fields.end('TBSCertificate');
  const extensions = readExtensions(readOnly(wrapper.content, tag.sequence, 'extensions'));
  return { spki, notAfter, extensions };
}
