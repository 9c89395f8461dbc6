// What makes a certificate an X.509-SVID (X509-SVID.md §2, §4).

import { CryptoError } from '../errors.ts';
import { parseSpiffeId, type SpiffeId } from '../spiffe-id.ts';
import type { Certificate } from './certificate.ts';
import { type KeyPurpose, keyPurposeOid, keyUsageBit } from './oids.ts';

/**
 * The one SPIFFE ID of a leaf SVID. A second URI of any scheme makes the certificate invalid (X509-SVID §2).
 * @throws CryptoError ERR_CERT_NO_SPIFFE_ID, ERR_CERT_MULTIPLE_SPIFFE_IDS, ERR_SPIFFE_ID_INVALID
 */
export function svidId(certificate: Certificate): SpiffeId {
  const id = onlySpiffeId(certificate);
  if (id === undefined)
    throw new CryptoError('ERR_CERT_NO_SPIFFE_ID', 'the certificate has no URI among its names');
  if (id.path === '') {
    throw new CryptoError('ERR_CERT_NO_SPIFFE_ID', `${id.uri} names a trust domain, not a workload`);
  }
  return id;
}

/**
 * Checks that a certificate may stand at the end of a path and authenticate a TLS peer.
 * @throws CryptoError ERR_CERT_LEAF_IS_CA, ERR_CERT_KEY_USAGE and those of svidId
 */
export function checkLeaf(certificate: Certificate, purpose: KeyPurpose): SpiffeId {
  const { basicConstraints, keyUsage } = certificate.extensions;
  const mayIssue =
    keyUsage?.has(keyUsageBit.keyCertSign) === true || keyUsage?.has(keyUsageBit.cRLSign) === true;
  if (basicConstraints?.ca === true || mayIssue) {
    throw new CryptoError(
      'ERR_CERT_LEAF_IS_CA',
      'a CA certificate was presented where an SVID is expected (X509-SVID §5.2)',
    );
  }
  if (keyUsage?.has(keyUsageBit.digitalSignature) !== true) {
    throw new CryptoError('ERR_CERT_KEY_USAGE', 'the SVID lacks the key usage digitalSignature');
  }
  checkPurpose(certificate, purpose);
  return svidId(certificate);
}

/**
 * Checks that a certificate may sign others: CA, keyCertSign, and if it has a SPIFFE ID, that of its trust domain
 * (X509-SVID §4.1, §5.1), which must be the leaf's.
 * @throws CryptoError ERR_CERT_NOT_A_CA, ERR_CERT_KEY_USAGE, ERR_CERT_WRONG_TRUST_DOMAIN, and those of svidId
 */
export function checkSigningCertificate(
  certificate: Certificate,
  purpose: KeyPurpose | undefined,
  trustDomain: string | undefined,
): void {
  const { basicConstraints, keyUsage } = certificate.extensions;
  if (basicConstraints?.ca !== true)
    throw new CryptoError('ERR_CERT_NOT_A_CA', 'an issuer in the path is not a CA');
  if (keyUsage?.has(keyUsageBit.keyCertSign) !== true) {
    throw new CryptoError('ERR_CERT_KEY_USAGE', 'a CA in the path lacks the key usage keyCertSign');
  }
  if (purpose !== undefined) checkPurpose(certificate, purpose);
  const id = onlySpiffeId(certificate);
  if (id !== undefined && id.path !== '') {
    throw new CryptoError('ERR_CERT_NOT_A_CA', `${id.uri} is a workload's identity, not a CA's`);
  }
  if (id !== undefined && trustDomain !== undefined && id.trustDomain !== trustDomain) {
    throw new CryptoError(
      'ERR_CERT_WRONG_TRUST_DOMAIN',
      `a CA of ${id.trustDomain} does not vouch for ${trustDomain}`,
    );
  }
}

/** An absent extension allows every purpose (RFC 5280 §4.2.1.12); anyExtendedKeyUsage is not taken for one. */
function checkPurpose(certificate: Certificate, purpose: KeyPurpose): void {
  const { extendedKeyUsage } = certificate.extensions;
  if (extendedKeyUsage !== undefined && !extendedKeyUsage.has(keyPurposeOid[purpose])) {
    throw new CryptoError(
      'ERR_CERT_KEY_USAGE',
      `the extended key usage does not allow TLS ${purpose} authentication`,
    );
  }
}

function onlySpiffeId(certificate: Certificate): SpiffeId | undefined {
  const [first, ...more] = certificate.extensions.subjectAltName?.uris ?? [];
  if (more.length > 0)
    throw new CryptoError(
      'ERR_CERT_MULTIPLE_SPIFFE_IDS',
      'the certificate has more than one URI among its names',
    );
  return first === undefined ? undefined : parseSpiffeId(first);
}
