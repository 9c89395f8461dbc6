// The mesh's own trust bundle. Envoy's `signature_algorithms` does not restrict the signatures *inside* a chain: an
// ML-DSA leaf under an ECDSA root is accepted if that root is in the bundle. So what enters the bundle is decided here.

import { meshSignatureAlgorithms, type SignatureAlgorithm } from '../algorithms.ts';
import { CryptoError } from '../errors.ts';
import { fromPem } from '../pem.ts';
import { type Certificate, parseCertificate } from './certificate.ts';
import { isSignedBy } from './path.ts';
import { checkSigningCertificate } from './svid.ts';

/** Two roots during a rotation, a few more with federation; a hundred is a mistake somewhere. */
export const maxAnchors = 64;

const certificateLabel = 'CERTIFICATE';

/**
 * Reads a PEM bundle of trust anchors.
 * @throws CryptoError ERR_PEM, ERR_BUNDLE_INVALID, and those of parseCertificate
 */
export function parseBundle(pem: string, trustDomain?: string): Certificate[] {
  return checkAnchors(fromPem(pem, certificateLabel).map(parseCertificate), trustDomain);
}

/**
 * Returns the certificates unchanged when every one may be a trust anchor of the mesh: a CA with a key identifier,
 * whose key and signature are ML-DSA, of the trust domain when one is given, self-signature valid, and no two that
 * Envoy would take for one another. Expired anchors are allowed here and refused by path validation, so that an old
 * root left in a bundle does not make the whole of it unreadable.
 * @throws CryptoError ERR_BUNDLE_INVALID
 */
export function checkAnchors(certificates: readonly Certificate[], trustDomain?: string): Certificate[] {
  if (certificates.length === 0 || certificates.length > maxAnchors) {
    throw bundleError(`a bundle has 1 to ${maxAnchors} anchors, this one has ${certificates.length}`);
  }
  const names = new Set<string>();
  for (const [index, certificate] of certificates.entries()) {
    const where = `anchor ${index + 1}`;
    checkAnchor(certificate, trustDomain, where);
    const name = `${certificate.subject.toString('hex')}/${certificate.extensions.subjectKeyId?.toString('hex')}`;
    if (names.has(name)) throw bundleError(`${where} has the subject and key identifier of an earlier one`);
    names.add(name);
  }
  return [...certificates];
}

function checkAnchor(certificate: Certificate, trustDomain: string | undefined, where: string): void {
  try {
    checkSigningCertificate(certificate, undefined, trustDomain);
  } catch (error) {
    throw new CryptoError(
      'ERR_BUNDLE_INVALID',
      `${where}: ${error instanceof Error ? error.message : String(error)}`,
      error,
    );
  }
  const allowed: readonly SignatureAlgorithm[] = meshSignatureAlgorithms;
  for (const algorithm of [certificate.keyAlgorithm, certificate.signatureAlgorithm]) {
    if (!allowed.includes(algorithm)) {
      throw bundleError(
        `${where} uses ${algorithm}; a mesh bundle holds only ${allowed.join(' and ')}, or the mesh is not post-quantum`,
      );
    }
  }
  if (certificate.extensions.subjectKeyId === undefined)
    throw bundleError(`${where} has no subject key identifier`);
  if (certificate.subject.equals(certificate.issuer) && !isSignedBy(certificate, certificate)) {
    throw bundleError(`${where}: its self-signature does not verify; the file is damaged`);
  }
}

function bundleError(message: string): CryptoError {
  return new CryptoError('ERR_BUNDLE_INVALID', message);
}
