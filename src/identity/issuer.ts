// X.509-SVIDs: who asks was settled before; this decides what the certificate may say.

import { meshSignatureAlgorithms, type SignatureAlgorithm } from '../crypto/algorithms.ts';
import { parseSpiffeId } from '../crypto/spiffe-id.ts';
import { parseCsr } from '../crypto/x509/csr.ts';
import { issueSvid } from '../crypto/x509/issue.ts';
import { type CertificateAuthority, checkCaValidity } from './ca.ts';
import { IdentityError } from './errors.ts';
import { clockSkewMs, defaultSvidLifetimeMs, maxSvidLifetimeMs, minSvidLifetimeMs } from './lifetimes.ts';

const serialBytes = 20;

export interface SvidIssuerOptions {
  /** Its root signs SVIDs itself. */
  readonly ca: CertificateAuthority;
  readonly randomBytes: (length: number) => Uint8Array;
  readonly lifetimeMs?: number;
}

export interface SvidRequest {
  readonly spiffeId: string;
  /** PKCS#10, DER. Only its public key is used. */
  readonly csr: Uint8Array;
  readonly now: Date;
}

export interface IssuedSvid {
  readonly spiffeId: string;
  /** Leaf first, then the CAs up to, but without, the root; DER. */
  readonly certificates: readonly Buffer[];
  readonly notBefore: Date;
  readonly notAfter: Date;
}

export interface SvidIssuer {
  /**
   * @throws IdentityError ERR_SVID_ID_NOT_ALLOWED, ERR_SVID_KEY_NOT_ALLOWED, ERR_CA_EXPIRED, ERR_CA_NOT_YET_VALID, and
   *   CryptoError for an ID or a request that is malformed, or a request not signed by its own key
   */
  issueX509Svid(request: SvidRequest): IssuedSvid;
}

/** @throws IdentityError ERR_LIFETIME */
export function createSvidIssuer(options: SvidIssuerOptions): SvidIssuer {
  const { lifetimeMs = defaultSvidLifetimeMs } = options;
  if (!(lifetimeMs >= minSvidLifetimeMs && lifetimeMs <= maxSvidLifetimeMs)) {
    throw new IdentityError(
      'ERR_LIFETIME',
      `an SVID lives ${minSvidLifetimeMs / 1000} s to ${maxSvidLifetimeMs / 1000} s, not ${lifetimeMs / 1000} s`,
    );
  }
  return { issueX509Svid: (request) => issue(options, lifetimeMs, request) };
}

function issue(options: SvidIssuerOptions, lifetimeMs: number, request: SvidRequest): IssuedSvid {
  const { ca, randomBytes } = options;
  const { spiffeId, now } = request;
  checkCaValidity(ca, now);
  checkId(spiffeId, ca.trustDomain);
  const subjectKey = requestedKey(request.csr);
  const validity = validityWithin(ca, now, lifetimeMs);
  const leaf = issueSvid(ca.issuer, { subjectKey, spiffeId, serial: randomBytes(serialBytes), ...validity });
  return { spiffeId, certificates: [leaf], ...validity };
}

/**
 * Demands an ID below the trust domain's own.
 * @throws IdentityError ERR_SVID_ID_NOT_ALLOWED, CryptoError ERR_SPIFFE_ID_INVALID
 */
export function checkId(spiffeId: string, trustDomain: string): void {
  const id = parseSpiffeId(spiffeId);
  if (id.trustDomain === trustDomain && id.path !== '') return;
  throw new IdentityError(
    'ERR_SVID_ID_NOT_ALLOWED',
    `${spiffeId} names nothing in the trust domain ${trustDomain}`,
  );
}

/**
 * The public key (SPKI DER) of a request, if there may be an SVID for it.
 * @throws IdentityError ERR_SVID_KEY_NOT_ALLOWED, and CryptoError for a request that is malformed or not signed by its own key
 */
export function requestedKey(csr: Uint8Array): Buffer {
  const { algorithm, publicKey } = parseCsr(csr);
  const allowed: readonly SignatureAlgorithm[] = meshSignatureAlgorithms;
  if (allowed.includes(algorithm)) return publicKey;
  throw new IdentityError(
    'ERR_SVID_KEY_NOT_ALLOWED',
    `the request is for a key of ${algorithm}; the mesh takes ${allowed.join(' and ')}`,
  );
}

/** Backdated for clocks that are behind, and inside the CA's own validity: an SVID never outlives what vouches for it. */
function validityWithin(
  ca: CertificateAuthority,
  now: Date,
  lifetimeMs: number,
): { notBefore: Date; notAfter: Date } {
  const outer = ca.issuer.certificate;
  const from = Math.max(now.getTime() - clockSkewMs, outer.notBefore.getTime());
  const to = Math.min(now.getTime() + lifetimeMs, outer.notAfter.getTime());
  return { notBefore: wholeSeconds(from), notAfter: wholeSeconds(to) };
}

/** As the certificate will say it. */
function wholeSeconds(ms: number): Date {
  return new Date(Math.floor(ms / 1000) * 1000);
}
