// The ECDSA counter-signature in the X.509 alternative-signature extensions (ITU-T X.509 (10/2019) §7.2.2, §9.8):
// forging one of the CA's two keys creates no identity where both signatures are demanded.

import { signatureAlgorithms } from '../algorithms.ts';
import { explicit, sequence } from '../der/write.ts';
import { CryptoError } from '../errors.ts';
import { verifyBytes } from '../keys.ts';
import type { Certificate, TbsFields } from './certificate.ts';
import { extensionOid } from './oids.ts';

const extensionsTag = 3;

/**
 * What the second key signs: TBSCertificate without its `signature` field and without altSignatureValue. The slices are
 * taken from the certificate as they are; only the two SEQUENCE headers around them are new.
 */
export function counterSignedBytes(fields: TbsFields, extensionsWithoutValue: readonly Uint8Array[]): Buffer {
  return sequence(
    fields.beforeSignature,
    fields.afterSignature,
    explicit(extensionsTag, sequence(...extensionsWithoutValue)),
  );
}

/**
 * Verifies the counter-signature of a certificate under its issuer's second key. The issuer must come from the
 * caller's own trust bundle or have been verified up to it (see verifyCounterSignedPath), never from the peer alone: a
 * thief of the primary key could present an issuer with a second key of his own.
 * @throws CryptoError ERR_COUNTER_SIGNATURE_MISSING, ERR_COUNTER_KEY_MISSING, ERR_COUNTER_SIGNATURE_ALGORITHM,
 *   ERR_COUNTER_SIGNATURE_INVALID, ERR_CERT_UNKNOWN_ISSUER when `issuer` is not the one the certificate names
 */
export function verifyCounterSignature(certificate: Certificate, issuer: Certificate): void {
  const { counterSignature } = certificate.extensions;
  const { counterKey } = issuer.extensions;
  if (!certificate.issuer.equals(issuer.subject)) {
    throw new CryptoError('ERR_CERT_UNKNOWN_ISSUER', 'the certificate names another issuer');
  }
  if (counterSignature === undefined) {
    throw new CryptoError('ERR_COUNTER_SIGNATURE_MISSING', 'the certificate carries no counter-signature');
  }
  if (counterKey === undefined) {
    throw new CryptoError('ERR_COUNTER_KEY_MISSING', "the issuer's certificate carries no second public key");
  }
  if (counterSignature.algorithm !== counterKey.algorithm) {
    throw new CryptoError(
      'ERR_COUNTER_SIGNATURE_ALGORITHM',
      `the counter-signature claims ${counterSignature.algorithm}, the issuer's second key is ${counterKey.algorithm}`,
    );
  }
  // Two post-quantum or two classical signatures would fall together.
  if (
    signatureAlgorithms[counterKey.algorithm].postQuantum ===
    signatureAlgorithms[issuer.keyAlgorithm].postQuantum
  ) {
    throw new CryptoError('ERR_COUNTER_SIGNATURE_ALGORITHM', "the issuer's two keys are of the same kind");
  }
  const covered = certificate.extensions.all.filter(({ oid }) => oid !== extensionOid.altSignatureValue);
  const signedBytes = counterSignedBytes(
    certificate.fields,
    covered.map(({ raw }) => raw),
  );
  if (!verifyBytes(counterKey.publicKey, signedBytes, counterSignature.signature)) {
    throw new CryptoError(
      'ERR_COUNTER_SIGNATURE_INVALID',
      "the counter-signature does not verify under the issuer's second key",
    );
  }
}

/**
 * Verifies every counter-signature of a path that validatePath returned (leaf first, anchor last), from the anchor
 * down, so that the second key of an issuing CA is believed only once the anchor's own second key vouches for it.
 * @throws CryptoError as verifyCounterSignature
 */
export function verifyCounterSignedPath(path: readonly Certificate[]): void {
  for (let i = path.length - 2; i >= 0; i--) {
    const certificate = path[i];
    const issuer = path[i + 1];
    if (certificate !== undefined && issuer !== undefined) verifyCounterSignature(certificate, issuer);
  }
  if (path.length < 2)
    throw new CryptoError('ERR_CERT_UNKNOWN_ISSUER', 'a path has at least a leaf and an anchor');
}
