// The certificate authority: one self-signed ML-DSA root with a second, ECDSA key for the counter-signature. Pure: the
// files are in ca-directory.ts.

import { meshTls } from '../crypto/algorithms.ts';
import { exportPkcs8, generateSigningKey, importSigningKey } from '../crypto/keys.ts';
import { fromPemOne, toPem } from '../crypto/pem.ts';
import { type Certificate, parseCertificate } from '../crypto/x509/certificate.ts';
import { verifyCounterSignature } from '../crypto/x509/counter-signature.ts';
import { createIssuer, type Issuer, issueRoot } from '../crypto/x509/issue.ts';
import { createTrustBundle, type TrustBundle } from './bundle.ts';
import { IdentityError } from './errors.ts';
import { clockSkewMs, rootExpiryWarningMs, rootLifetimeMs } from './lifetimes.ts';

/** Room for one level of issuing CAs, one per control-plane replica, below the root. */
const rootPathLength = 1;
const counterAlgorithm = 'ECDSA-P256';
const serialBytes = 20;
/** Part of the root's name: enough to tell roots apart, short enough to read out. */
const nameSuffixBytes = 8;

const certificateLabel = 'CERTIFICATE';
const keyLabel = 'PRIVATE KEY';

/** A CA that can sign. */
export interface CertificateAuthority {
  readonly trustDomain: string;
  readonly issuer: Issuer;
  /** What verifies its signatures. */
  readonly bundle: TrustBundle;
}

/** The three files of a CA, PEM. The keys are secrets. */
export interface CaFiles {
  readonly certificate: string;
  /** The ML-DSA root key. */
  readonly key: string;
  /** The ECDSA counter-signing key, kept apart: both keys together are the identity of the whole mesh. */
  readonly counterKey: string;
}

export interface NewCaOptions {
  readonly trustDomain: string;
  readonly now: Date;
  readonly randomBytes: (length: number) => Buffer;
}

/** A new root for the trust domain. Its name is unique, because Envoy confuses roots that share subject and key id. */
export function createCaFiles({ trustDomain, now, randomBytes }: NewCaOptions): CaFiles {
  const key = generateSigningKey(meshTls.signature);
  const counterKey = generateSigningKey(counterAlgorithm);
  const suffix = randomBytes(nameSuffixBytes).toString('hex');
  const der = issueRoot({
    key,
    counterKey,
    subject: { organization: 'Trellis', commonName: `Trellis root ${suffix}` },
    trustDomain,
    serial: randomBytes(serialBytes),
    notBefore: new Date(now.getTime() - clockSkewMs),
    notAfter: new Date(now.getTime() + rootLifetimeMs),
    pathLen: rootPathLength,
  });
  return {
    certificate: toPem(certificateLabel, der),
    key: toPem(keyLabel, exportPkcs8(key)),
    counterKey: toPem(keyLabel, exportPkcs8(counterKey)),
  };
}

/**
 * Puts a CA together from its files, after checking that each is whole and that they belong to one another.
 * @param where names the files in messages
 * @throws IdentityError ERR_CA_CORRUPT, ERR_CA_TRUST_DOMAIN, ERR_CA_EXPIRED, ERR_CA_NOT_YET_VALID
 */
export function assembleCa(
  files: CaFiles,
  trustDomain: string,
  now: Date,
  where: string,
): CertificateAuthority {
  const check = <T>(what: string, read: () => T): T => orCorrupt(where, what, read);
  const certificate = check('certificate', () =>
    parseCertificate(fromPemOne(files.certificate, certificateLabel)),
  );
  const key = check('key', () => importSigningKey(fromPemOne(files.key, keyLabel)));
  const counterKey = check('counter-signing key', () =>
    importSigningKey(fromPemOne(files.counterKey, keyLabel)),
  );
  const issuer = check('set of files', () => createIssuer({ certificate, key, counterKey }));
  checkTrustDomain(certificate, trustDomain, where);
  const bundle = check('certificate', () => {
    verifyCounterSignature(certificate, certificate);
    return createTrustBundle(trustDomain, [certificate]);
  });
  const ca = { trustDomain, issuer, bundle };
  checkCaValidity(ca, now);
  return ca;
}

/**
 * Throws unless the CA may sign at this moment.
 * @throws IdentityError ERR_CA_EXPIRED, ERR_CA_NOT_YET_VALID
 */
export function checkCaValidity(ca: CertificateAuthority, now: Date): void {
  const { notBefore, notAfter } = ca.issuer.certificate;
  if (now > notAfter) {
    throw new IdentityError(
      'ERR_CA_EXPIRED',
      `the CA's root expired at ${notAfter.toISOString()}: it must be replaced, in the trust-anchor file of every agent too`,
    );
  }
  // Written so that an invalid clock is refused as well.
  if (!(now >= notBefore)) {
    throw new IdentityError(
      'ERR_CA_NOT_YET_VALID',
      `the CA's root is valid from ${notBefore.toISOString()} on: is the clock right?`,
    );
  }
}

/** What to tell the operator when the root comes near its end; undefined while that is far. */
export function caExpiryWarning(ca: CertificateAuthority, now: Date): string | undefined {
  const { notAfter } = ca.issuer.certificate;
  if (notAfter.getTime() - now.getTime() > rootExpiryWarningMs) return undefined;
  return `the CA's root expires at ${notAfter.toISOString()}, and no SVID outlives it: plan its replacement`;
}

function checkTrustDomain(certificate: Certificate, trustDomain: string, where: string): void {
  const own = certificate.extensions.subjectAltName?.uris[0];
  if (own === `spiffe://${trustDomain}`) return;
  throw new IdentityError(
    'ERR_CA_TRUST_DOMAIN',
    `the CA in ${where} is that of ${own ?? 'no trust domain'}, not of spiffe://${trustDomain}: correct the trust domain, or use another directory`,
  );
}

function orCorrupt<T>(where: string, what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new IdentityError(
      'ERR_CA_CORRUPT',
      `the CA's ${what} in ${where} cannot be used: ${detail}. Restore all of its files from one backup; Trellis never makes a new root over an old one`,
      { cause: error },
    );
  }
}
