// What the members of a trust domain trust: its root certificates. The PEM form is the trust-anchor file that an agent
// is started with; it is public, but whoever can change it decides whom the agent believes.

import { CryptoError } from '../crypto/errors.ts';
import { toPem } from '../crypto/pem.ts';
import type { Certificate } from '../crypto/x509/certificate.ts';
import { checkAnchors, parseBundle } from '../crypto/x509/trust-anchors.ts';
import { IdentityError } from './errors.ts';

export interface TrustBundle {
  readonly trustDomain: string;
  /** At least one; all ML-DSA (see crypto/x509/trust-anchors.ts). */
  readonly anchors: readonly Certificate[];
}

/** @throws IdentityError ERR_BUNDLE_INVALID when a certificate has no place in the mesh's bundle */
export function createTrustBundle(trustDomain: string, anchors: readonly Certificate[]): TrustBundle {
  return { trustDomain, anchors: asBundleError(() => checkAnchors(anchors, trustDomain)) };
}

/**
 * Reads a trust-anchor file.
 * @throws IdentityError ERR_BUNDLE_INVALID: not PEM, not ML-DSA, of another trust domain, …
 */
export function trustBundleFromPem(pem: string, trustDomain: string): TrustBundle {
  return { trustDomain, anchors: asBundleError(() => parseBundle(pem, trustDomain)) };
}

/** The bundle as a trust-anchor file; Envoy reads the same form. */
export function trustBundleToPem(bundle: TrustBundle): string {
  return bundle.anchors.map(({ der }) => toPem('CERTIFICATE', der)).join('');
}

function asBundleError<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
    throw new IdentityError('ERR_BUNDLE_INVALID', `not a trust bundle of this mesh: ${error.message}`, {
      cause: error,
    });
  }
}
