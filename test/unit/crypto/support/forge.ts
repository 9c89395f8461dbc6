// Certificates that the issuing code refuses to make: an existing one is taken apart, changed, and signed again.

import { inside, readOnly } from '../../../../src/crypto/der/read.ts';
import { tag } from '../../../../src/crypto/der/tags.ts';
import {
  bitString,
  derTrue,
  explicit,
  octetString,
  oid,
  sequence,
  tlv,
} from '../../../../src/crypto/der/write.ts';
import { type SigningKey, signBytes } from '../../../../src/crypto/keys.ts';
import { encodeSignatureAlgorithm } from '../../../../src/crypto/spki.ts';
import type { Certificate } from '../../../../src/crypto/x509/certificate.ts';
import { counterSignedBytes } from '../../../../src/crypto/x509/counter-signature.ts';
import { extensionOid } from '../../../../src/crypto/x509/oids.ts';

/** The raw elements of a TBSCertificate; every one can be replaced. */
export interface TbsElements {
  version: Uint8Array;
  serial: Uint8Array;
  algorithm: Uint8Array;
  outerAlgorithm: Uint8Array;
  issuer: Uint8Array;
  validity: Uint8Array;
  subject: Uint8Array;
  spki: Uint8Array;
  /** Whatever stands between key and extensions: the obsolete unique identifiers. */
  uniqueIds: Uint8Array;
  /** Raw Extension elements. */
  extensions: readonly Uint8Array[];
}

export function elementsOf(certificate: Certificate): TbsElements {
  const fields = inside(readOnly(certificate.tbs, tag.sequence, 'tbs'));
  const take = (): Uint8Array => fields.nextOfAny('field').raw;
  const [version, serial, algorithm] = [take(), take(), take()];
  const [issuer, validity, subject, spki] = [take(), take(), take(), take()];
  return {
    version,
    serial,
    algorithm,
    outerAlgorithm: algorithm,
    issuer,
    validity,
    subject,
    spki,
    uniqueIds: Buffer.alloc(0),
    extensions: certificate.extensions.all.map(({ raw }) => raw),
  };
}

/** The certificate with changed elements, its primary signature made anew with `key`. */
export function forge(certificate: Certificate, key: SigningKey, change: Partial<TbsElements>): Buffer {
  const own = { algorithm: encodeSignatureAlgorithm(key.algorithm) };
  const e = { ...elementsOf(certificate), ...own, outerAlgorithm: own.algorithm, ...change };
  const tbs = sequence(
    e.version,
    e.serial,
    e.algorithm,
    e.issuer,
    e.validity,
    e.subject,
    e.spki,
    e.uniqueIds,
    explicit(3, sequence(...e.extensions)),
  );
  return sequence(tbs, e.outerAlgorithm, bitString(signBytes(key, tbs)));
}

/** The certificate with other extensions (the alternative ones excepted, which are made anew), signed by both keys. */
export function forgeCounterSigned(
  certificate: Certificate,
  key: SigningKey,
  counterKey: SigningKey,
  extensions: readonly Uint8Array[],
): Buffer {
  const covered = [
    ...extensions,
    extension(extensionOid.altSignatureAlgorithm, encodeSignatureAlgorithm(counterKey.algorithm)),
  ];
  const value = signBytes(counterKey, counterSignedBytes(certificate.fields, covered));
  return forge(certificate, key, {
    extensions: [...covered, extension(extensionOid.altSignatureValue, bitString(value))],
  });
}

/** An Extension element. */
export function extension(dotted: string, value: Uint8Array, critical = false): Buffer {
  return sequence(oid(dotted), ...(critical ? [derTrue] : []), octetString(value));
}

/** The raw extensions of a certificate without those named. */
export function extensionsWithout(certificate: Certificate, ...oids: readonly string[]): Buffer[] {
  return certificate.extensions.all.filter(({ oid: dotted }) => !oids.includes(dotted)).map(({ raw }) => raw);
}

export function rawExtension(certificate: Certificate, dotted: string): Buffer {
  const found = certificate.extensions.all.find(({ oid: candidate }) => candidate === dotted);
  if (found === undefined) throw new Error(`the certificate has no extension ${dotted}`);
  return found.raw;
}

export type GeneralName = readonly [tagNumber: number, text: string];

/** subjectAltName with these general names. */
export function subjectAltName(...names: GeneralName[]): Buffer {
  return extension(
    extensionOid.subjectAltName,
    sequence(...names.map(([n, text]) => tlv(0x80 | n, Buffer.from(text, 'latin1')))),
  );
}

export const uriName = 6;
export const dnsName = 2;
