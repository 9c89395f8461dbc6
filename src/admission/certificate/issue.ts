// Making the webhook's CAs and the certificates they sign. ECDSA P-256: API servers do not verify ML-DSA yet.

import { exportPkcs8, generateSigningKey, type SigningKey, spkiDer } from '../../crypto/keys.ts';
import { type Certificate, parseCertificate } from '../../crypto/x509/certificate.ts';
import { createIssuer, issueRoot, issueServerCertificate } from '../../crypto/x509/issue.ts';
import type { KeyedCertificate } from './serving-state.ts';
import { maxSpanMs } from './timing.ts';

/** Where chance comes from. */
export interface CertificateRandomness {
  readonly key: () => SigningKey;
  /** 16 bytes from a cryptographic generator. */
  readonly serial: () => Uint8Array;
}

export function systemRandomness(randomBytes: (size: number) => Uint8Array): CertificateRandomness {
  return { key: () => generateSigningKey('ECDSA-P256'), serial: () => randomBytes(serialBytes) };
}

const serialBytes = 16;

export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/**
 * A life from now on. It begins a whole life ago, because API servers may be behind the clock of whoever issues, and nobody who trusts
 * this CA trusted it then.
 * @param replaced its life is covered too, up to `maxSpanMs`
 */
export function validityFrom(now: Date, lifetimeMs: number, replaced: Validity | undefined): Validity {
  const plain = { notBefore: after(now, -lifetimeMs), notAfter: after(now, lifetimeMs) };
  if (replaced === undefined) return plain;
  const span = {
    notBefore: new Date(Math.min(plain.notBefore.getTime(), replaced.notBefore.getTime())),
    notAfter: new Date(Math.max(plain.notAfter.getTime(), replaced.notAfter.getTime())),
  };
  return span.notAfter.getTime() - span.notBefore.getTime() > maxSpanMs ? plain : span;
}

export function newAuthority(validity: Validity, random: CertificateRandomness): KeyedCertificate {
  const [key, serial] = [random.key(), random.serial()];
  // A name of its own: whoever looks for the issuer of a leaf finds one.
  const commonName = `Trellis webhook CA ${Buffer.from(serial).toString('hex').slice(0, 16)}`;
  const der = issueRoot({ key, serial, ...validity, subject: { commonName }, pathLen: 0 });
  return { certificate: parseCertificate(der), key };
}

export function newLeaf(
  authority: KeyedCertificate,
  names: readonly string[],
  validity: Validity,
  random: CertificateRandomness,
): KeyedCertificate {
  const key = random.key();
  const der = issueServerCertificate(createIssuer(authority), {
    ...{ subjectKey: spkiDer(key), serial: random.serial(), dnsNames: names },
    notBefore: validity.notBefore,
    notAfter: earlier(validity.notAfter, authority.certificate),
  });
  return { certificate: parseCertificate(der), key };
}

function earlier(date: Date, { notAfter }: Certificate): Date {
  return date < notAfter ? date : notAfter;
}

function after(date: Date, ms: number): Date {
  return new Date(date.getTime() + ms);
}

/** PKCS#8, DER. */
export function keyBytes({ key }: KeyedCertificate): Buffer {
  return exportPkcs8(key);
}
