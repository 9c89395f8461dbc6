// Issuing certificates: roots, issuing CAs, SVIDs and TLS servers outside of the mesh. What depends on the issuer alone is encoded once, so that a leaf
// costs little more than its two signatures.

import { type SignatureAlgorithm, signatureAlgorithms } from '../algorithms.ts';
import { bitString, explicit, sequence, smallInteger, time, unsignedInteger } from '../der/write.ts';
import { CryptoError } from '../errors.ts';
import { type SigningKey, signBytes, spkiDer } from '../keys.ts';
import { parseSpiffeId, parseTrustDomain } from '../spiffe-id.ts';
import { encodeSignatureAlgorithm, type PublicKeyInfo, parseSpki } from '../spki.ts';
import type { Certificate, TbsFields } from './certificate.ts';
import { counterSignedBytes } from './counter-signature.ts';
import {
  authorityKeyIdExtension,
  caConstraintsExtension,
  caKeyUsageExtension,
  counterAlgorithmExtension,
  counterKeyExtension,
  counterValueExtension,
  dnsNamesExtension,
  keyIdentifier,
  leafExtendedKeyUsageExtension,
  leafKeyUsageExtension,
  serverExtendedKeyUsageExtension,
  subjectAltNameExtension,
  subjectKeyIdExtension,
} from './extension-writer.ts';
import { type DistinguishedName, emptyName, encodeName } from './name.ts';
import { checkSigningCertificate } from './svid.ts';

/** What issuer and holder of every certificate must say. */
interface Validity {
  /** 16 to 20 bytes from a cryptographic generator; the serial number is made from them. */
  readonly serial: Uint8Array;
  /** Cut to the whole second. */
  readonly notBefore: Date;
  /** Cut to the whole second; inclusive. */
  readonly notAfter: Date;
}

export interface RootTemplate extends Validity {
  readonly key: SigningKey;
  /** The CA's second key, of the other kind (ML-DSA with ECDSA, ECDSA with ML-DSA). */
  readonly counterKey?: SigningKey;
  /** Envoy confuses roots that share subject and key identifier: make it distinct per root. */
  readonly subject: DistinguishedName;
  /** Left out for a CA that vouches for no mesh, but for DNS names alone. */
  readonly trustDomain?: string;
  readonly pathLen?: number;
}

export interface CaTemplate extends Validity {
  /** SubjectPublicKeyInfo, DER. */
  readonly subjectKey: Uint8Array;
  /** The second public key of the new CA, DER; demanded when its issuer counter-signs. */
  readonly counterKey?: Uint8Array;
  readonly subject: DistinguishedName;
  readonly trustDomain: string;
  readonly pathLen?: number;
}

export interface SvidTemplate extends Validity {
  /** SubjectPublicKeyInfo, DER. */
  readonly subjectKey: Uint8Array;
  readonly spiffeId: string;
  /** For people only; left out, the subject is empty and the SPIFFE ID critical. */
  readonly subject?: DistinguishedName;
}

export interface ServerTemplate extends Validity {
  /** SubjectPublicKeyInfo, DER. */
  readonly subjectKey: Uint8Array;
  /** One at least. */
  readonly dnsNames: readonly string[];
}

/** A CA ready to sign. Its fields are the precomputed parts of what it signs. */
export interface Issuer {
  readonly certificate: Certificate;
  readonly key: SigningKey;
  readonly counterKey: SigningKey | undefined;
  readonly constants: IssuerConstants;
}

interface IssuerConstants {
  readonly name: Buffer;
  readonly authorityKeyId: Buffer;
  readonly algorithm: Buffer;
  readonly counterAlgorithm: Buffer | undefined;
}

/**
 * Puts a CA certificate and its keys together, after checking that they belong to each other.
 * @throws CryptoError ERR_CERT_ISSUE, ERR_CERT_NOT_A_CA, ERR_CERT_KEY_USAGE
 */
export function createIssuer(parts: {
  readonly certificate: Certificate;
  readonly key: SigningKey;
  readonly counterKey?: SigningKey;
}): Issuer {
  const { certificate, key, counterKey } = parts;
  const { extensions } = certificate;
  checkSigningCertificate(certificate, undefined, undefined);
  if (!certificate.publicKey.equals(key.publicKey))
    throw issueError('the private key does not belong to the CA certificate');
  const second = extensions.counterKey?.publicKey;
  if (
    second === undefined
      ? counterKey !== undefined
      : counterKey === undefined || !second.equals(counterKey.publicKey)
  ) {
    throw issueError('the counter-signing key does not belong to the CA certificate');
  }
  if (extensions.subjectKeyId === undefined)
    throw issueError('the CA certificate has no subject key identifier');
  return {
    certificate,
    key,
    counterKey,
    constants: issuerConstants(certificate.subject, extensions.subjectKeyId, key, counterKey),
  };
}

/** A self-signed root certificate, DER; counter-signed by its own second key when it has one. @throws CryptoError ERR_CERT_ISSUE */
export function issueRoot(template: RootTemplate): Buffer {
  const { key, counterKey, ...common } = template;
  const name = encodeCaName(template.subject);
  const subjectKey = spkiDer(key);
  const { keyBits, algorithm } = parseSpki(subjectKey);
  const constants = issuerConstants(name, keyIdentifier(keyBits), key, counterKey);
  const second = counterKey === undefined ? {} : { counterKey: spkiDer(counterKey) };
  const extensions = caExtensions({ ...common, subjectKey, ...second }, { keyBits, algorithm }, constants);
  return signCertificate({ constants, key, counterKey }, template, name, subjectKey, extensions);
}

/**
 * The certificate of an issuing CA, DER.
 * @throws CryptoError ERR_CERT_ISSUE when the issuer may not sign it, or it would outlive its issuer
 */
export function issueCa(issuer: Issuer, template: CaTemplate): Buffer {
  const above = issuer.certificate.extensions.basicConstraints?.pathLen;
  if (above !== undefined && (template.pathLen === undefined || template.pathLen >= above)) {
    throw issueError(`the issuer's path length is ${above}; the new CA's must be smaller`);
  }
  if (issuer.counterKey !== undefined && template.counterKey === undefined) {
    throw issueError('an issuing CA under a counter-signing one needs a second key');
  }
  checkWithinIssuer(issuer, template.notAfter);
  const name = encodeCaName(template.subject);
  const extensions = caExtensions(template, parseSpki(template.subjectKey), issuer.constants);
  return signCertificate(issuer, template, name, template.subjectKey, extensions);
}

/**
 * A leaf X.509-SVID, DER: one SPIFFE ID, not a CA, for TLS clients and servers (X509-SVID §2 to §4).
 * @throws CryptoError ERR_CERT_ISSUE, ERR_SPIFFE_ID_INVALID, ERR_KEY_INVALID, ERR_ALGORITHM_UNKNOWN
 */
export function issueSvid(issuer: Issuer, template: SvidTemplate): Buffer {
  if (parseSpiffeId(template.spiffeId).path === '')
    throw issueError('an SVID names a workload, not a trust domain');
  checkWithinIssuer(issuer, template.notAfter);
  const name = template.subject === undefined ? emptyName : encodeName(template.subject);
  const { keyBits } = parseSpki(template.subjectKey);
  const extensions = [
    leafKeyUsageExtension,
    leafExtendedKeyUsageExtension,
    subjectKeyIdExtension(keyIdentifier(keyBits)),
    issuer.constants.authorityKeyId,
    subjectAltNameExtension(template.spiffeId, name.equals(emptyName)),
  ];
  return signCertificate(issuer, template, name, template.subjectKey, extensions);
}

/**
 * The certificate of a TLS server that is known by DNS names and is no part of a mesh, DER.
 * @throws CryptoError ERR_CERT_ISSUE, ERR_KEY_INVALID, ERR_ALGORITHM_UNKNOWN
 */
export function issueServerCertificate(issuer: Issuer, template: ServerTemplate): Buffer {
  const { dnsNames, notAfter, subjectKey } = template;
  // Anything else would be written into the certificate as it is.
  if (
    dnsNames.length === 0 ||
    !dnsNames.every((name) => name.length <= maxDnsNameLength && dnsName.test(name))
  )
    throw issueError('a server needs DNS names, in lower case and without a trailing dot');
  checkWithinIssuer(issuer, notAfter);
  const extensions = [
    leafKeyUsageExtension,
    serverExtendedKeyUsageExtension,
    subjectKeyIdExtension(keyIdentifier(parseSpki(subjectKey).keyBits)),
    issuer.constants.authorityKeyId,
    dnsNamesExtension(dnsNames),
  ];
  return signCertificate(issuer, template, emptyName, subjectKey, extensions);
}

/** RFC 1035 §2.3.1 and §2.3.4, with digits in front (RFC 1123 §2.1). */
const dnsName = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;
const maxDnsNameLength = 253;

function issuerConstants(
  name: Buffer,
  keyId: Buffer,
  key: SigningKey,
  counterKey: SigningKey | undefined,
): IssuerConstants {
  if (counterKey !== undefined) requireOtherKind(key.algorithm, counterKey.algorithm);
  return {
    name,
    authorityKeyId: authorityKeyIdExtension(keyId),
    algorithm: encodeSignatureAlgorithm(key.algorithm),
    counterAlgorithm: counterKey === undefined ? undefined : counterAlgorithmExtension(counterKey.algorithm),
  };
}

function caExtensions(
  template: Omit<CaTemplate, 'trustDomain'> & { readonly trustDomain?: string },
  subject: Pick<PublicKeyInfo, 'keyBits' | 'algorithm'>,
  issuer: IssuerConstants,
): Buffer[] {
  const extensions = [
    caConstraintsExtension(template.pathLen),
    caKeyUsageExtension,
    subjectKeyIdExtension(keyIdentifier(subject.keyBits)),
    issuer.authorityKeyId,
  ];
  // X509-SVID §3.2: signing certificates should carry the SPIFFE ID of their trust domain, without a path.
  if (template.trustDomain !== undefined)
    extensions.push(subjectAltNameExtension(trustDomainId(template.trustDomain), false));
  if (template.counterKey !== undefined) {
    requireOtherKind(subject.algorithm, parseSpki(template.counterKey).algorithm);
    extensions.push(counterKeyExtension(template.counterKey));
  }
  return extensions;
}

/** All extensions with altSignatureAlgorithm → second key signs → altSignatureValue → primary key signs everything. */
function signCertificate(
  issuer: Pick<Issuer, 'key' | 'counterKey' | 'constants'>,
  validity: Validity,
  subject: Buffer,
  subjectKey: Uint8Array,
  extensions: readonly Buffer[],
): Buffer {
  const { name, algorithm, counterAlgorithm } = issuer.constants;
  const fields: TbsFields = {
    beforeSignature: Buffer.concat([version3, unsignedInteger(serialNumber(validity.serial))]),
    afterSignature: Buffer.concat([name, encodeValidity(validity), subject, subjectKey]),
  };
  const all = [...extensions];
  if (issuer.counterKey !== undefined && counterAlgorithm !== undefined) {
    all.push(counterAlgorithm);
    all.push(counterValueExtension(signBytes(issuer.counterKey, counterSignedBytes(fields, all))));
  }
  const tbs = sequence(
    fields.beforeSignature,
    algorithm,
    fields.afterSignature,
    explicit(3, sequence(...all)),
  );
  return sequence(tbs, algorithm, bitString(signBytes(issuer.key, tbs)));
}

const version3 = explicit(0, smallInteger(2));
const minSerialBytes = 16;
const maxSerialBytes = 20;

/** RFC 5280 §4.1.2.2: positive, at most 20 octets. Two fixed bits keep the sign and the length; the rest is the caller's randomness. */
function serialNumber(random: Uint8Array): Buffer {
  if (random.length < minSerialBytes || random.length > maxSerialBytes) {
    throw issueError(`a serial number is made from ${minSerialBytes} to ${maxSerialBytes} random bytes`);
  }
  const serial = Buffer.from(random);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  return serial;
}

function encodeValidity({ notBefore, notAfter }: Validity): Buffer {
  // Written so that an invalid date is refused as well.
  if (!(notBefore <= notAfter)) throw issueError('notAfter is before notBefore');
  return sequence(time(notBefore), time(notAfter));
}

function checkWithinIssuer(issuer: Issuer, notAfter: Date): void {
  // Certificates have whole seconds (RFC 5280 §4.1.2.5); the fraction is cut off when the time is written.
  const wholeSeconds = notAfter.getTime() - (notAfter.getTime() % 1000);
  if (wholeSeconds > issuer.certificate.notAfter.getTime())
    throw issueError('the certificate would outlive its issuer');
}

function requireOtherKind(primary: SignatureAlgorithm, second: SignatureAlgorithm): void {
  if (signatureAlgorithms[primary].postQuantum === signatureAlgorithms[second].postQuantum) {
    throw issueError(
      `a ${second} key adds nothing beside a ${primary} key; one of the two must be ML-DSA, the other ECDSA`,
    );
  }
}

function encodeCaName(subject: DistinguishedName): Buffer {
  const name = encodeName(subject);
  if (name.equals(emptyName)) throw issueError('a CA needs a subject name (RFC 5280 §4.1.2.6)');
  return name;
}

function trustDomainId(trustDomain: string): string {
  return `spiffe://${parseTrustDomain(trustDomain)}`;
}

function issueError(message: string): CryptoError {
  return new CryptoError('ERR_CERT_ISSUE', message);
}
