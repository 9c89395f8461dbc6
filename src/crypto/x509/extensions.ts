// Reading the extensions of a certificate. Everything Trellis acts on is decoded here, once; what it does not know is
// kept by name, so that path validation can refuse the critical ones.

import type { SignatureAlgorithm } from '../algorithms.ts';
import {
  type DerElement,
  derError,
  inside,
  readBitString,
  readBoolean,
  readNamedBits,
  readOid,
  readOnly,
  readSmallInteger,
} from '../der/read.ts';
import { contextConstructed, contextPrimitive, tag } from '../der/tags.ts';
import { type PublicKeyInfo, parseSpki, readSignatureAlgorithm } from '../spki.ts';
import { extensionOid } from './oids.ts';

/** One Extension as it stands in the certificate. */
export interface RawExtension {
  readonly oid: string;
  readonly critical: boolean;
  /** The contents of extnValue. */
  readonly value: Buffer;
  /** The whole Extension element. */
  readonly raw: Buffer;
}

export interface BasicConstraints {
  readonly ca: boolean;
  /** How many CA certificates may follow; undefined: no limit. */
  readonly pathLen: number | undefined;
}

export interface SubjectAltName {
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
}

/** What the X.509 alternative-signature extensions say; nothing of it is verified by parsing. */
export interface AlternativeSignature {
  readonly algorithm: SignatureAlgorithm;
  readonly signature: Buffer;
}

/** The decoded extensions; undefined means absent. */
export interface Extensions {
  readonly all: readonly RawExtension[];
  readonly subjectKeyId: Buffer | undefined;
  readonly authorityKeyId: Buffer | undefined;
  /** Bit numbers, see keyUsageBit. */
  readonly keyUsage: ReadonlySet<number> | undefined;
  /** Object identifiers of purposes. */
  readonly extendedKeyUsage: ReadonlySet<string> | undefined;
  readonly basicConstraints: BasicConstraints | undefined;
  readonly subjectAltName: SubjectAltName | undefined;
  readonly counterKey: PublicKeyInfo | undefined;
  readonly counterSignature: AlternativeSignature | undefined;
}

/** Above what any certificate of a mesh carries. */
const maxExtensions = 32;

const decoded: ReadonlySet<string> = new Set([
  extensionOid.subjectKeyIdentifier,
  extensionOid.authorityKeyIdentifier,
  extensionOid.keyUsage,
  extensionOid.extendedKeyUsage,
  extensionOid.basicConstraints,
  extensionOid.subjectAltName,
  extensionOid.subjectAltPublicKeyInfo,
  extensionOid.altSignatureAlgorithm,
  extensionOid.altSignatureValue,
]);

/** True when the extension's meaning is honoured by this parser and by path validation. */
export function isProcessed(extension: RawExtension): boolean {
  return decoded.has(extension.oid);
}

/** Reads `Extensions ::= SEQUENCE OF Extension`. @throws CryptoError ERR_DER, ERR_KEY_INVALID, ERR_ALGORITHM_UNKNOWN */
export function readExtensions(sequenceOfExtensions: DerElement): Extensions {
  const all = readRawExtensions(sequenceOfExtensions);
  const find = <T>(oid: string, read: (value: Buffer) => T): T | undefined => {
    const extension = all.find((candidate) => candidate.oid === oid);
    return extension === undefined ? undefined : read(extension.value);
  };
  const extensions: Extensions = {
    all,
    subjectKeyId: find(extensionOid.subjectKeyIdentifier, readSubjectKeyId),
    authorityKeyId: find(extensionOid.authorityKeyIdentifier, readAuthorityKeyId),
    keyUsage: find(extensionOid.keyUsage, readKeyUsage),
    extendedKeyUsage: find(extensionOid.extendedKeyUsage, readExtendedKeyUsage),
    basicConstraints: find(extensionOid.basicConstraints, readBasicConstraints),
    subjectAltName: find(extensionOid.subjectAltName, readSubjectAltName),
    counterKey: find(extensionOid.subjectAltPublicKeyInfo, parseSpki),
    counterSignature: readCounterSignature(all),
  };
  checkAlternativeExtensions(extensions);
  return extensions;
}

function readRawExtensions(sequenceOfExtensions: DerElement): RawExtension[] {
  const reader = inside(sequenceOfExtensions);
  const all: RawExtension[] = [];
  const seen = new Set<string>();
  while (!reader.atEnd) {
    const extension = readRawExtension(reader.next(tag.sequence, 'extension'));
    // RFC 5280 §4.2. Two readers that each pick another instance would verify different certificates.
    if (seen.has(extension.oid)) throw derError(`extension ${extension.oid} appears twice`);
    if (all.length === maxExtensions) throw derError(`more than ${maxExtensions} extensions`);
    seen.add(extension.oid);
    all.push(extension);
  }
  if (all.length === 0) throw derError('an empty list of extensions');
  return all;
}

function readRawExtension(element: DerElement): RawExtension {
  const fields = inside(element);
  const oid = readOid(fields.next(tag.oid, 'extension'));
  const flag = fields.optional(tag.boolean, `extension ${oid}`);
  const critical = flag !== undefined && readBoolean(flag);
  // X.690 §11.5: a DEFAULT value is not encoded.
  if (flag !== undefined && !critical) throw derError(`extension ${oid}: critical FALSE is written out`);
  const value = fields.next(tag.octetString, `extension ${oid}`).content;
  fields.end(`extension ${oid}`);
  return { oid, critical, value, raw: element.raw };
}

function readSubjectKeyId(value: Buffer): Buffer {
  return readOnly(value, tag.octetString, 'subjectKeyIdentifier').content;
}

/** Only keyIdentifier is used; issuer and serial number (RFC 5280 §4.2.1.1) may follow it. */
function readAuthorityKeyId(value: Buffer): Buffer | undefined {
  const fields = inside(readOnly(value, tag.sequence, 'authorityKeyIdentifier'));
  const keyIdentifier = fields.optional(contextPrimitive(0), 'keyIdentifier')?.content;
  fields.optional(contextConstructed(1), 'authorityCertIssuer');
  fields.optional(contextPrimitive(2), 'authorityCertSerialNumber');
  fields.end('authorityKeyIdentifier');
  return keyIdentifier;
}

function readKeyUsage(value: Buffer): ReadonlySet<number> {
  return new Set(readNamedBits(readOnly(value, tag.bitString, 'keyUsage'), 'keyUsage'));
}

function readExtendedKeyUsage(value: Buffer): ReadonlySet<string> {
  const reader = inside(readOnly(value, tag.sequence, 'extendedKeyUsage'));
  const purposes = new Set<string>();
  while (!reader.atEnd) purposes.add(readOid(reader.next(tag.oid, 'key purpose')));
  if (purposes.size === 0) throw derError('extendedKeyUsage names no purpose');
  return purposes;
}

function readBasicConstraints(value: Buffer): BasicConstraints {
  const fields = inside(readOnly(value, tag.sequence, 'basicConstraints'));
  const flag = fields.optional(tag.boolean, 'cA');
  const ca = flag !== undefined && readBoolean(flag);
  if (flag !== undefined && !ca) throw derError('basicConstraints: cA FALSE is written out');
  const limit = fields.optional(tag.integer, 'pathLenConstraint');
  fields.end('basicConstraints');
  if (limit !== undefined && !ca)
    throw derError('basicConstraints: a path length without cA (RFC 5280 §4.2.1.9)');
  return { ca, pathLen: limit === undefined ? undefined : readSmallInteger(limit, 'pathLenConstraint') };
}

const dnsName = 2;
const uniformResourceIdentifier = 6;
const printableAscii = /^[\x21-\x7e]+$/;

function readSubjectAltName(value: Buffer): SubjectAltName {
  const reader = inside(readOnly(value, tag.sequence, 'subjectAltName'));
  if (reader.atEnd) throw derError('subjectAltName holds no name');
  const uris: string[] = [];
  const dnsNames: string[] = [];
  while (!reader.atEnd) {
    const name = reader.nextOfAny('general name');
    if (name.tag === contextPrimitive(uniformResourceIdentifier)) uris.push(readIa5(name));
    else if (name.tag === contextPrimitive(dnsName)) dnsNames.push(readIa5(name));
    else if ((name.tag & 0xc0) !== 0x80)
      throw derError('subjectAltName holds something that is no general name');
  }
  return { uris, dnsNames };
}

/** A NUL or another control character in a name has fooled many comparisons; no URI or DNS name contains one. */
function readIa5(element: DerElement): string {
  const text = element.content.toString('latin1');
  if (!printableAscii.test(text)) throw derError('a name with characters outside printable ASCII');
  return text;
}

function readCounterSignature(all: readonly RawExtension[]): AlternativeSignature | undefined {
  const algorithm = all.find(({ oid }) => oid === extensionOid.altSignatureAlgorithm);
  const value = all.find(({ oid }) => oid === extensionOid.altSignatureValue);
  if (algorithm === undefined && value === undefined) return undefined;
  // One without the other is a stripped or half-made counter-signature, never "none".
  if (algorithm === undefined || value === undefined) {
    throw derError('altSignatureAlgorithm and altSignatureValue must both be present, or neither');
  }
  const signature = readOnly(value.value, tag.bitString, 'altSignatureValue');
  return {
    algorithm: readSignatureAlgorithm(readOnly(algorithm.value, tag.sequence, 'altSignatureAlgorithm')),
    signature: readBitString(signature, 'altSignatureValue'),
  };
}

function checkAlternativeExtensions(extensions: Extensions): void {
  const alternative: readonly string[] = [
    extensionOid.subjectAltPublicKeyInfo,
    extensionOid.altSignatureAlgorithm,
    extensionOid.altSignatureValue,
  ];
  const critical = extensions.all.find(({ oid, critical }) => critical && alternative.includes(oid));
  if (critical !== undefined) throw derError(`extension ${critical.oid} must not be critical`);
  if (extensions.counterKey !== undefined && extensions.basicConstraints?.ca !== true) {
    throw derError('a second public key in a certificate that is not a CA');
  }
}
