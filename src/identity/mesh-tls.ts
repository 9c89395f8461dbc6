// TLS between the parts of Trellis itself: the same rules as between proxies (TLS 1.3, one hybrid group, ML-DSA on both
// sides, no resumption), for Node's own sockets.

import { constants } from 'node:crypto';
import type { DetailedPeerCertificate, SecureContextOptions, TLSSocket } from 'node:tls';
import { keyExchangeGroups, meshTls, signatureAlgorithms } from '../crypto/algorithms.ts';
import { exportPkcs8, type SigningKey } from '../crypto/keys.ts';
import { toPem } from '../crypto/pem.ts';
import type { SpiffeId } from '../crypto/spiffe-id.ts';
import { type Certificate, parseCertificate } from '../crypto/x509/certificate.ts';
import { verifyCounterSignedPath } from '../crypto/x509/counter-signature.ts';
import type { KeyPurpose } from '../crypto/x509/oids.ts';
import { maxPresentedIntermediates, validatePath } from '../crypto/x509/path.ts';
import { svidId } from '../crypto/x509/svid.ts';

/** What one end proves itself with. */
export interface TlsCredentials {
  readonly key: SigningKey;
  /** Leaf first, DER. */
  readonly certificates: readonly Uint8Array[];
}

/** Options for both `tls.connect` and servers; an agent that has not joined yet has no credentials. */
export function meshTlsOptions(
  anchors: readonly Certificate[],
  credentials: TlsCredentials | undefined,
): SecureContextOptions {
  return {
    minVersion: meshTls.version,
    maxVersion: meshTls.version,
    ciphers: meshTls.cipher,
    ecdhCurve: keyExchangeGroups[meshTls.group].tlsName,
    sigalgs: signatureAlgorithms[meshTls.signature].tlsName,
    // A server still sends tickets with this, but refuses to resume from them: a resumed session would skip the
    // certificates and with them expiry.
    secureOptions: constants.SSL_OP_NO_TICKET,
    ca: anchors.map((anchor) => toPem('CERTIFICATE', anchor.der)),
    ...(credentials === undefined
      ? {}
      : {
          key: toPem('PRIVATE KEY', exportPkcs8(credentials.key)),
          cert: credentials.certificates.map((der) => toPem('CERTIFICATE', der)).join(''),
        }),
  };
}

export interface PeerCheck {
  readonly anchors: readonly Certificate[];
  readonly trustDomain: string;
  /** What the peer is. */
  readonly purpose: KeyPurpose;
  readonly now: Date;
  /** How long ago the peer's own certificate may have ended. Default: not at all. */
  readonly graceMs?: number;
}

export interface VerifiedPeer {
  readonly id: SpiffeId;
  readonly notAfter: Date;
}

/**
 * Validates what the peer of a finished handshake presented, with our own path validation: OpenSSL's knows neither
 * SPIFFE nor that a classical link is none. Both signatures of every certificate must verify: whoever has stolen or forged
 * one of the CA's two keys is not believed.
 * @returns undefined when the peer presented nothing
 * @throws CryptoError whose code says what is wrong with it
 */
export function verifyPeer(socket: TLSSocket, check: PeerCheck): VerifiedPeer | undefined {
  const [leaf, ...intermediates] = presentedChain(socket).map(parseCertificate);
  if (leaf === undefined) return undefined;
  const path = validatePath({ ...check, leaf, intermediates, now: validationTime(leaf, check) });
  verifyCounterSignedPath(path);
  return { id: svidId(leaf), notAfter: leaf.notAfter };
}

/** Within the grace, the last moment at which the certificate was good: whatever else is wrong with the path is so then too. */
function validationTime(leaf: Certificate, { now, graceMs = 0 }: PeerCheck): Date {
  const overdueMs = now.getTime() - leaf.notAfter.getTime();
  return overdueMs > 0 && overdueMs <= graceMs ? leaf.notAfter : now;
}

function presentedChain(socket: TLSSocket): Buffer[] {
  const chain: Buffer[] = [];
  let current: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (current?.raw !== undefined && chain.length <= maxPresentedIntermediates) {
    chain.push(current.raw);
    // A self-signed certificate is its own issuer.
    current = current.issuerCertificate === current ? undefined : current.issuerCertificate;
  }
  return chain;
}

/** Refuses a connection that was set up in any other way than the mesh's: a guard against a library's default. */
export function negotiatedGroup(socket: TLSSocket): string | undefined {
  const info = socket.getEphemeralKeyInfo();
  return info !== null && 'name' in info && typeof info.name === 'string' ? info.name : undefined;
}
