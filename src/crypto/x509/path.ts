// Path validation: the part of RFC 5280 §6.1 that a mesh needs, and X509-SVID §5. No policies and no revocation
// lists (SVIDs are short-lived); what would narrow an issuer's power and is not implemented is refused, not ignored.

import { meshSignatureAlgorithms, type SignatureAlgorithm } from '../algorithms.ts';
import { CryptoError } from '../errors.ts';
import { verifyBytes } from '../keys.ts';
import type { Certificate } from './certificate.ts';
import { isProcessed } from './extensions.ts';
import { extensionOid, type KeyPurpose } from './oids.ts';
import { checkLeaf, checkSigningCertificate } from './svid.ts';

/** CA certificates between leaf and anchor. A mesh has one (the issuing CA); the rest is room for nested CAs. */
export const maxIntermediates = 4;
/** Certificates a peer may present beside its leaf, used or not. */
export const maxPresentedIntermediates = 8;
/** Bounds the work a crafted set of look-alike issuers can cause. */
const maxSignatureChecks = 16;

export interface PathRequest {
  readonly leaf: Certificate;
  /** What the peer presented beside its leaf, in any order. */
  readonly intermediates: readonly Certificate[];
  /** The caller's trust bundle. */
  readonly anchors: readonly Certificate[];
  readonly now: Date;
  /** What the *peer* is: `server` when a client validates it. */
  readonly purpose: KeyPurpose;
  /** The leaf must be of this trust domain; omitted: of any the anchors vouch for. */
  readonly trustDomain?: string;
  /** Algorithms allowed for every key and signature of the path. Default: ML-DSA-65 and ML-DSA-87 alone. */
  readonly signatureAlgorithms?: readonly SignatureAlgorithm[];
}

/**
 * Finds and validates a path from the leaf to an anchor; returns it leaf first, anchor last (always the caller's own
 * anchor object, even when the peer presented a copy). Validity ends are inclusive and there is no tolerance for
 * clocks that disagree: issuing backdates instead.
 * @throws CryptoError whose code says why; with several candidate issuers, why the first one was refused
 */
export function validatePath(request: PathRequest): Certificate[] {
  const { leaf, intermediates, trustDomain } = request;
  if (intermediates.length > maxPresentedIntermediates) {
    throw new CryptoError(
      'ERR_CERT_PATH_TOO_LONG',
      `more than ${maxPresentedIntermediates} intermediate certificates presented`,
    );
  }
  const id = checkLeaf(leaf, request.purpose);
  if (trustDomain !== undefined && id.trustDomain !== trustDomain) {
    throw new CryptoError(
      'ERR_CERT_WRONG_TRUST_DOMAIN',
      `${id.uri} is not of the trust domain ${trustDomain}`,
    );
  }
  const search: Search = {
    ...request,
    allowed: new Set<SignatureAlgorithm>(request.signatureAlgorithms ?? meshSignatureAlgorithms),
    leafTrustDomain: id.trustDomain,
    signatureChecks: 0,
  };
  checkCommon(leaf, search);
  return extend([leaf], search);
}

interface Search extends PathRequest {
  readonly allowed: ReadonlySet<SignatureAlgorithm>;
  readonly leafTrustDomain: string;
  signatureChecks: number;
}

/** Completes a path whose last certificate is checked but for its issuer. Depth first, anchors before intermediates. */
function extend(path: readonly Certificate[], search: Search): Certificate[] {
  const child = path[path.length - 1] as Certificate;
  let refusal: unknown;
  for (const issuer of [...search.anchors, ...search.intermediates]) {
    if (path.includes(issuer) || !isNamedIssuer(child, issuer)) continue;
    try {
      checkIssuer(issuer, path.length - 1, search);
      checkSignature(child, issuer, search);
      return search.anchors.includes(issuer) ? [...path, issuer] : extend([...path, issuer], search);
    } catch (error) {
      refusal ??= error;
    }
  }
  throw (
    refusal ??
    new CryptoError(
      'ERR_CERT_UNKNOWN_ISSUER',
      'no trusted CA has the subject and key identifier the certificate names as its issuer',
    )
  );
}

/** By raw subject and, where both sides carry one, by key identifier (RFC 5280 §4.2.1.1). */
function isNamedIssuer(child: Certificate, issuer: Certificate): boolean {
  if (!child.issuer.equals(issuer.subject)) return false;
  const wanted = child.extensions.authorityKeyId;
  const has = issuer.extensions.subjectKeyId;
  return wanted === undefined || has === undefined || wanted.equals(has);
}

function checkIssuer(issuer: Certificate, casBelow: number, search: Search): void {
  checkSigningCertificate(issuer, search.purpose, search.leafTrustDomain);
  checkCommon(issuer, search);
  // Self-issued certificates count too, unlike in RFC 5280 §6.1.4 (l): stricter, and no mesh has them.
  const limit = Math.min(issuer.extensions.basicConstraints?.pathLen ?? maxIntermediates, maxIntermediates);
  if (casBelow > limit) {
    throw new CryptoError(
      'ERR_CERT_PATH_TOO_LONG',
      `${casBelow} CA certificates below an issuer that allows ${limit}`,
    );
  }
}

/** What holds for every certificate of a path, the anchor included. */
function checkCommon(certificate: Certificate, search: Search): void {
  checkAlgorithms(certificate, search.allowed);
  checkValidity(certificate, search.now);
  checkExtensions(certificate);
}

function checkAlgorithms(certificate: Certificate, allowed: ReadonlySet<SignatureAlgorithm>): void {
  for (const [part, algorithm] of [
    ['signed with', certificate.signatureAlgorithm],
    ['for a key of', certificate.keyAlgorithm],
  ] as const) {
    if (!allowed.has(algorithm)) {
      throw new CryptoError(
        'ERR_CERT_ALGORITHM_NOT_ALLOWED',
        `a certificate of the path is ${part} ${algorithm}; allowed: ${[...allowed].join(', ')}`,
      );
    }
  }
}

function checkValidity(certificate: Certificate, now: Date): void {
  if (now > certificate.notAfter) {
    throw new CryptoError(
      'ERR_CERT_EXPIRED',
      `a certificate expired at ${certificate.notAfter.toISOString()}, it is ${now.toISOString()}`,
    );
  }
  // Written so that an invalid clock (NaN) is refused as well.
  if (!(now >= certificate.notBefore)) {
    throw new CryptoError(
      'ERR_CERT_NOT_YET_VALID',
      `a certificate is valid from ${certificate.notBefore.toISOString()} on; is the clock right?`,
    );
  }
}

function checkExtensions(certificate: Certificate): void {
  // RFC 5280 §4.2.1.10 and §4.2.1.11 want these critical; a CA that marked them otherwise still meant them.
  const restricting: readonly string[] = [extensionOid.nameConstraints, extensionOid.policyConstraints];
  for (const extension of certificate.extensions.all) {
    if (restricting.includes(extension.oid) || (extension.critical && !isProcessed(extension))) {
      throw new CryptoError(
        'ERR_CERT_UNKNOWN_CRITICAL_EXTENSION',
        `extension ${extension.oid} is not supported`,
      );
    }
  }
}

function checkSignature(child: Certificate, issuer: Certificate, search: Search): void {
  search.signatureChecks++;
  if (search.signatureChecks > maxSignatureChecks) {
    throw new CryptoError(
      'ERR_CERT_PATH_TOO_LONG',
      `no path found within ${maxSignatureChecks} signature checks`,
    );
  }
  if (!isSignedBy(child, issuer)) {
    throw new CryptoError(
      'ERR_CERT_BAD_SIGNATURE',
      "a certificate's signature does not verify under its issuer's key",
    );
  }
}

/** True when the primary signature of `child` verifies under the key of `issuer`. */
export function isSignedBy(child: Certificate, issuer: Certificate): boolean {
  return (
    child.signatureAlgorithm === issuer.keyAlgorithm &&
    verifyBytes(issuer.publicKey, child.tbs, child.signature)
  );
}
