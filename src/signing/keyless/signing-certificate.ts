// The certificate of a keyless signature (sigstore/fulcio, docs/certificate-specification.md and docs/oid-info.md), read
// from its very bytes. Sigstore's own library takes the first of several names, strips the high bits of text, and looks
// neither at extended key usage nor at critical extensions; here a certificate says one thing or is refused.

import { type DerElement, inside, readOid, readOnly } from '../../crypto/der/read.ts';
import { contextConstructed, contextPrimitive, tag } from '../../crypto/der/tags.ts';
import type { Extensions, RawExtension } from '../../crypto/x509/extensions.ts';
import { extensionOid, keyUsageBit } from '../../crypto/x509/oids.ts';
import { type PublicKey, publicKeyFromSpki } from '../keys/public-key.ts';
import { Refused } from './refused.ts';
import { readX509Fields } from './x509-fields.ts';

export interface SigningCertificate {
  readonly der: Buffer;
  readonly publicKey: PublicKey;
  /** The OpenID Connect issuer that vouched for the subject. */
  readonly issuer: string;
  /** The one subject alternative name: a URI, an e-mail address, or Fulcio's user name. */
  readonly subject: string;
  readonly notAfter: Date;
}

/** Fulcio's certificates for GitHub workflows, with every claim as an extension, have 2 to 3 KB. */
const maxCertificateBytes = 16 * 1024;

const codeSigning = '1.3.6.1.5.5.7.3.3';
/** Fulcio's issuer extension as bare text, deprecated; and as a UTF8String. */
const issuerV1Oid = '1.3.6.1.4.1.57264.1.1';
const issuerV2Oid = '1.3.6.1.4.1.57264.1.8';
/** The otherName of SubjectAltName for issuers whose subjects are neither URI nor e-mail address. */
const userNameOid = '1.3.6.1.4.1.57264.1.7';

const understood: ReadonlySet<string> = new Set([
  extensionOid.keyUsage,
  extensionOid.extendedKeyUsage,
  extensionOid.basicConstraints,
  extensionOid.subjectAltName,
]);

/**
 * Reads a code-signing certificate with exactly one identity. Whether anyone trusts its issuer is not looked at.
 * @throws Refused
 */
export function readSigningCertificate(certificate: Uint8Array): SigningCertificate {
  if (certificate.length > maxCertificateBytes)
    throw new Refused(`the certificate is longer than ${maxCertificateBytes} bytes`);
  const der = Buffer.from(certificate);
  try {
    const { spki, notAfter, extensions } = readX509Fields(der);
    checkUse(extensions);
    return {
      der,
      publicKey: publicKeyFromSpki(spki),
      issuer: issuerOf(extensions),
      subject: subjectOf(extensions),
      notAfter,
    };
  } catch (error) {
    if (error instanceof Refused) throw error;
    throw new Refused(`the certificate cannot be read: ${error instanceof Error ? error.message : error}`);
  }
}

/** RFC 5280 §4.2: what is critical must be understood. §4.2.1.12: the key is for signing code and for nothing a CA does. */
function checkUse({ all, basicConstraints, keyUsage, extendedKeyUsage }: Extensions): void {
  const unknown = all.find(({ oid, critical }) => critical && !understood.has(oid));
  if (unknown !== undefined)
    throw new Refused(`the certificate has a critical extension that is not understood (${unknown.oid})`);
  if (basicConstraints?.ca === true) throw new Refused('the certificate is that of a certificate authority');
  if (keyUsage?.has(keyUsageBit.digitalSignature) !== true)
    throw new Refused('the certificate is not for digital signatures (keyUsage)');
  if (extendedKeyUsage?.has(codeSigning) !== true)
    throw new Refused('the certificate is not for signing code (extendedKeyUsage)');
}

/** Both forms may stand beside each other, and then have to agree: who reads one must not see another issuer. */
function issuerOf({ all }: Extensions): string {
  const v1 = extensionValue(all, issuerV1Oid);
  const v2 = extensionValue(all, issuerV2Oid);
  const old = v1 === undefined ? undefined : plainText(v1, 'its issuer');
  const current =
    v2 === undefined
      ? undefined
      : plainText(readOnly(v2, tag.utf8String, 'issuer extension').content, 'its issuer');
  if (old !== undefined && current !== undefined && old !== current)
    throw new Refused('the certificate names two different issuers');
  const issuer = current ?? old;
  if (issuer === undefined) throw new Refused('the certificate names no OpenID Connect issuer');
  return issuer;
}

function subjectOf({ all }: Extensions): string {
  const value = extensionValue(all, extensionOid.subjectAltName);
  if (value === undefined) throw new Refused('the certificate names no subject (subjectAltName)');
  const names = inside(readOnly(value, tag.sequence, 'subjectAltName'));
  const name = names.nextOfAny('general name');
  // A second name would make it a matter of order, or of the reader, whose certificate it is.
  if (!names.atEnd) throw new Refused('the certificate names more than one subject (subjectAltName)');
  return plainText(nameBytes(name), 'its subject');
}

/** GeneralName (RFC 5280 §4.2.1.6). */
function nameBytes(name: DerElement): Buffer {
  switch (name.tag) {
    case contextPrimitive(1): // rfc822Name
    case contextPrimitive(6): // uniformResourceIdentifier
      return name.content;
    case contextConstructed(0):
      return userName(name);
    default:
      throw new Refused('the certificate names a subject that is neither URI, e-mail address nor user name');
  }
}

function userName(otherName: DerElement): Buffer {
  const fields = inside(otherName);
  const type = readOid(fields.next(tag.oid, 'otherName'));
  const value = fields.next(contextConstructed(0), 'otherName');
  fields.end('otherName');
  if (type !== userNameOid) throw new Refused(`the certificate names a subject of unknown type ${type}`);
  return readOnly(value.content, tag.utf8String, 'user name').content;
}

/** No identity has spaces, control characters, or letters that look like others; a NUL has fooled many comparisons. */
const printableAscii = /^[\x21-\x7e]+$/;

function plainText(bytes: Buffer, what: string): string {
  const text = bytes.toString('latin1');
  if (!printableAscii.test(text))
    throw new Refused(`the certificate cannot be used: ${what} is not printable ASCII`);
  return text;
}

function extensionValue(all: readonly RawExtension[], oid: string): Buffer | undefined {
  return all.find((extension) => extension.oid === oid)?.value;
}
